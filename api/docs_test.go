package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/api"
)

// docs/api.md names every path and every parameter of metrics, and its example of a list is an answer of the server.
func TestThePageTellsWhatTheServerDoes(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for path, operations := range api.Document().Paths {
		short := "…/" + strings.TrimPrefix(path, "/api/v1/") // beside the list that it belongs to
		if !strings.Contains(page, path+"`") && !strings.Contains(page, path+" ") && !strings.Contains(page, "`"+short+"`") {
			t.Errorf("docs/api.md does not tell of %s", path)
		}
		if strings.HasSuffix(path, "/metrics/{id}") {
			for _, p := range operations["get"].Parameters {
				if p.In == "query" && !strings.Contains(page, "`"+p.Name+"`") && !strings.Contains(page, "`"+p.Name+"=") {
					t.Errorf("docs/api.md does not tell of the parameter %s", p.Name)
				}
			}
		}
	}
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(page, -1)
	var want, got any
	for _, e := range examples {
		if strings.Contains(e[1], `"changes"`) {
			if err := json.Unmarshal([]byte(e[1]), &want); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := json.Unmarshal(send(t, small(t), "GET", "/api/v1/changes?deployment=d1", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the example of a list (-page +answer):\n%s", diff)
	}
}
