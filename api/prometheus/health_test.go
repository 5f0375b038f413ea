package prometheus_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/api/prometheus"
	"cairn/metrics/metricstest"
)

// clock is a time that tests move on.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) on(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}

// What the program tells about itself is answered by the query API: the present, what was a while ago, and nothing of
// before the start or of after the latest samples went stale.
func TestTheProgramsOwnSeriesCanBeAsked(t *testing.T) {
	c := &clock{at: metricstest.SmallNow()}
	s := small(t, prometheus.DefaultConfig(), c.now)
	begin := c.now()
	value := func(expr string, at time.Time) string {
		t.Helper()
		_, list := s.instant(t, expr, at)
		return written(list)
	}
	if got := value(`cairn_webhooks_total`, begin); got != "" {
		t.Errorf("before there was one: got %q", got)
	}
	s.exposition.Webhooks([]string{"forge"}, []string{"told", "refused"})
	value(`cairn_deployments{window="7d"}`, begin) // takes time
	for range 40 {
		s.exposition.Webhook("forge", "told")
		at := c.on(15 * time.Second)
		if got := value(`sum(cairn_webhooks_total)`, at); got == "" {
			t.Fatalf("nothing at %s", at)
		}
	}
	now := c.now()
	for expr, want := range map[string]string{
		`cairn_webhooks_total{source="forge",outcome="told"}`:         `{"__name__":"cairn_webhooks_total","outcome":"told","source":"forge"} 40`,
		`cairn_webhooks_total{outcome="refused"}`:                     `{"__name__":"cairn_webhooks_total","outcome":"refused","source":"forge"} 0`,
		`cairn_webhooks_total{outcome="told"} offset 5m`:              `{"__name__":"cairn_webhooks_total","outcome":"told","source":"forge"} 20`,
		`cairn_webhooks_total{outcome="told"} offset 1h`:              ``,
		`round(rate(cairn_webhooks_total{outcome="told"}[5m]) * 300)`: `{"outcome":"told","source":"forge"} 20`,
		`count_over_time(cairn_webhooks_total{outcome="told"}[2m])`:   `{"outcome":"told","source":"forge"} 8`,
		`cairn_build_info`:     `{"__name__":"cairn_build_info","version":"test"} 1`,
		`cairn_site_info`:      `{"__name__":"cairn_site_info","url":"https://cairn.example.com"} 1`,
		`cairn_promql_queries`: "{\"__name__\":\"cairn_promql_queries\",\"state\":\"running\"} 1\n{\"__name__\":\"cairn_promql_queries\",\"state\":\"waiting\"} 0",
		`count(cairn_query_duration_seconds_bucket{le="+Inf"}) > bool 0`:                       `{} 1`,
		`histogram_quantile(0.9, sum by (le) (cairn_query_duration_seconds_bucket)) >= bool 0`: `{} 1`,
		`go_goroutines > bool 0`: `{} 1`,
	} {
		if got := value(expr, now); got != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	s.exposition.Webhook("forge", "told")
	if got := value(`sum(cairn_webhooks_total)`, c.on(5*time.Second)); got != "{} 41" {
		t.Errorf("five seconds later: got %q, want the present", got)
	}
	if got := value(`cairn_build_info`, now.Add(30*time.Second)); got == "" {
		t.Error("a value is gone half a minute after its sample")
	}
	if got := value(`cairn_build_info`, c.on(time.Hour).Add(-30*time.Minute)); got != "" {
		t.Errorf("half an hour after the latest sample: got %q, want a gap", got)
	}
	value(`cairn_build_info`, c.on(6*time.Hour))
	if got := value(`cairn_webhooks_total`, now); got != "" {
		t.Errorf("samples are kept for ever: got %q", got)
	}
	_, a := s.ask(t, "label/url/values", url.Values{"match[]": {"cairn_site_info"}})
	if string(a.Data) != `["https://cairn.example.com"]` {
		t.Errorf("values of a label: got %s", a.Data)
	}
	if _, a := s.ask(t, "metadata", url.Values{"metric": {"cairn_webhooks_total"}}); !strings.Contains(string(a.Data), `"type":"counter","help":"Webhooks`) {
		t.Errorf("metadata: got %s", a.Data)
	}
}

// How far behind collectors and attribution are, and what waits in the journal, stands on /metrics, by source and kind
// and never by repository.
func TestWhatIsBehindIsOnMetrics(t *testing.T) {
	c := &clock{at: metricstest.SmallNow()}
	s := small(t, prometheus.DefaultConfig(), c.now)
	if err := metricstest.Sources(t.Context(), s.store, c.now()); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.exposition.Journal(func() (int64, int64) { return 3, 4096 })
	s.exposition.Mails([]string{"sent", "failed"})
	s.exposition.Mailed("sent")
	c.on(10 * time.Second)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var working sync.WaitGroup
	working.Go(func() {
		if err := s.exposition.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer working.Wait()
	defer stop()
	text := ""
	for range 200 {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if text = w.Body.String(); strings.Contains(text, "cairn_source_lag_seconds") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, want := range []string{
		"cairn_attribution_lag_seconds 10", "cairn_webhook_journal_entries 3", "cairn_webhook_journal_bytes 4096",
		`cairn_weekly_mails_total{outcome="sent"} 1`, `cairn_weekly_mails_total{outcome="failed"} 0`,
		fmt.Sprintf(`cairn_source_lag_seconds{kind="repositories",source="github"} %d`, 3*60+10),
		`cairn_source_streams{kind="commits",outcome="denied",source="github"} 2`, `cairn_source_streams{kind="changes",outcome="gone",source="github"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "linden") {
		t.Error("a repository is named")
	}
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "cairn_source_") {
			names[line[:strings.IndexByte(line, '}')]] = true
		}
	}
	if most := 9 * 7; len(names) > most || len(names) < 20 {
		t.Errorf("%d series of sources, want at most %d", len(names), most)
	}
	_, list := s.instant(t, `max by (source) (cairn_source_lag_seconds)`, c.now())
	if diff := cmp.Diff(1, len(list)); diff != "" {
		t.Error(diff)
	}
}
