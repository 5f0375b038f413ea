package dashboards

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/metrics"
)

// A rolling window ends with today in the view's zone, and weekly ones begin on a Monday.
func TestRollingWindows(t *testing.T) {
	now := time.Date(2026, 5, 19, 22, 30, 0, 0, time.UTC) // Wednesday 20 May in Kolkata
	for _, c := range []struct {
		query, from, to string
		bucket          metrics.Bucket
	}{
		{"", "2026-03-02", "2026-05-20", metrics.Week},
		{"last=4w", "2026-04-22", "2026-05-20", metrics.Day},
		{"last=4w&tz=Asia/Kolkata", "2026-04-23", "2026-05-21", metrics.Day},
		{"last=12m&bucket=quarter", "2025-06-01", "2026-05-20", metrics.Quarter},
		{"from=2026-01-01&to=2026-03-01", "2026-01-01", "2026-03-01", metrics.Week},
		{"from=2026-05-01", "2026-05-01", "2026-05-20", metrics.Day},
	} {
		p, _ := url.ParseQuery(c.query)
		v, err := readView(p, "UTC", now)
		if err != nil || v.From() != c.from || v.To() != c.to || v.Bucket != c.bucket {
			t.Errorf("%q: got %s to %s by %s (%v), want %s to %s by %s", c.query, v.From(), v.To(), v.Bucket, err, c.from, c.to, c.bucket)
		}
	}
}

// A bad address is refused by name.
func TestBadViews(t *testing.T) {
	for query, say := range map[string]string{
		"last=3w": "3w", "last=4w&from=2026-01-01": "not by both", "to=2026-01-01": "from is missing", "tz=Mars": "Mars",
		"bucket=moon": "moon", "from=2026-02-01&to=2026-01-01": "before", "from=x&to=2026-01-01": `"x"`,
	} {
		p, _ := url.ParseQuery(query)
		if _, err := readView(p, "UTC", time.Now()); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: got %v, want an error about %s", query, err, say)
		}
	}
}

// A link carries on what the address said, and nothing that it did not.
func TestLinksKeepTheView(t *testing.T) {
	p, _ := url.ParseQuery("last=4w&tz=Asia/Kolkata&q=shop")
	v, err := readView(p, "UTC", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.Link(place("teams", "a b/c"), "team", "x&y", "last", ""), "/teams/a%20b%2Fc?team=x%26y&tz=Asia%2FKolkata"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
