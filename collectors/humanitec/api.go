package humanitec

import (
	"net/url"
	"strings"
)

// path joins what names a thing.
func path(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
