package api

import (
	"net/http"
	"slices"
)

// Routes lists what the server answers, each as GET /api/v1/metrics/{id}, in order; HEAD is answered wherever GET is.
func Routes() []string {
	var list []string
	for _, r := range New(Deps{}).echo.Routes() {
		if r.Method != http.MethodHead {
			list = append(list, r.Method+" "+pathName.ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(list)
	return list
}
