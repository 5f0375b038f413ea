package dashboards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"
)

// Whoever follows a list from page to page sees everything in it, once, and finds the way back.
func TestListsAreSeenWhole(t *testing.T) {
	var facts []fact
	for i := range catalogued + 1 {
		facts = append(facts, fact{"type": "service", "id": fmt.Sprintf("service/%03d", i), "updated_at": "2026-05-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z"})
	}
	for i := range evidencePage + 1 { // more than listed, too
		at := time.Date(2026, 5, 1, 0, i, 0, 0, time.UTC).Format(time.RFC3339)
		facts = append(facts, fact{"type": "deployment", "service": "service/000", "id": fmt.Sprintf("deployment/%03d", i), "version": fmt.Sprintf("v%d", i), "environment": "production", "status": "succeeded", "finished_at": at})
	}
	p := site(t, facts...)
	for _, c := range []struct {
		name, target, next, first string
		row                       *regexp.Regexp
		rows, pages               int
	}{
		{"services", "/services?last=4w&q=service", "Next page", "First page", regexp.MustCompile(`^/services/(service%2F\d+)\?last=4w$`), catalogued + 1, 2},
		{"deployments", "/services/service%2F000?last=4w", "Older", "Newest", regexp.MustCompile(`^/deployments/service%2F000/(deployment%2F\d+)\?last=4w$`), evidencePage + 1, 3},
		{"evidence", "/metrics/deployment_count?service=service%2F000&tz=UTC", "Next page", "First page", regexp.MustCompile(`^/deployments/service%2F000/(deployment%2F\d+)\?tz=UTC$`), evidencePage + 1, 2},
	} {
		var seen []string
		target, first, pages := c.target, "", 0
		for ; target != "" && pages < 10; pages++ {
			w := fetch(p, "GET", target)
			if w.Code != 200 {
				t.Fatalf("%s: %s: got %d", c.name, target, w.Code)
			}
			target, first = "", ""
			here := map[string]bool{}
			for n := range parse(t, w.Body.String()).Descendants() {
				if n.Type != nethtml.ElementNode || n.Data != "a" {
					continue
				}
				to, _, _ := strings.Cut(attribute(n, "href"), "#")
				switch m := c.row.FindStringSubmatch(to); {
				case m != nil && !here[m[1]]:
					here[m[1]] = true
					seen = append(seen, m[1])
				case inner(n) == c.next:
					target = to
				case inner(n) == c.first:
					first = to
				}
			}
			if (first == "") != (pages == 0) {
				t.Errorf("%s: page %d leads back to %q", c.name, pages, first)
			}
		}
		slices.Sort(seen)
		if distinct := len(slices.Compact(slices.Clone(seen))); len(seen) != c.rows || distinct != c.rows || pages != c.pages {
			t.Errorf("%s: %d rows, %d of them different, on %d pages, want %d on %d", c.name, len(seen), distinct, pages, c.rows, c.pages)
		}
		if w := fetch(p, "GET", first); w.Code != 200 {
			t.Errorf("%s: %s, the way back: got %d", c.name, first, w.Code)
		}
	}
}
