package prometheus_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/api/prometheus"
	"cairn/metrics/metricstest"
)

// What cannot be answered is refused as Prometheus refuses it, and a limit is told by its name.
func TestRefusals(t *testing.T) {
	cfg := prometheus.DefaultConfig()
	cfg.MaxSeries, cfg.MaxInstants, cfg.MaxSamples = 100, 60, 10
	s := small(t, cfg, metricstest.SmallNow)
	now := metricstest.SmallNow()
	year := url.Values{"start": {now.AddDate(-1, 0, 0).Format(time.RFC3339)}, "end": {now.Format(time.RFC3339)}}
	for _, c := range []struct {
		path, query, step string
		code              int
		kind, words       string
	}{
		{"query", "cairn_deployments{", "", 400, "bad_data", "parse error"},
		{"query", "", "", 400, "bad_data", "query"},
		{"query", `{__name__=~"cairn_.*"}`, "", 422, "execution", "max_series"},
		{"query_range", `cairn_deployments{team="",service="",window="7d"}`, "1d", 422, "execution", "max_instants"},
		{"query_range", `cairn_deployments{service!="",window="7d"}`, "1w", 422, "execution", "too many samples"},
		{"query_range", "cairn_deployments", "1s", 400, "bad_data", "11,000 points"},
		{"query_range", "cairn_deployments", "0", 400, "bad_data", "step"},
		{"query_range", "cairn_deployments", "soon", 400, "bad_data", "step"},
		{"query", "sum(cairn_deployments) by (1)", "", 400, "bad_data", "parse error"},
		{"nowhere", "", "", 404, "not_found", "/prometheus"},
		{"series", "", "", 400, "bad_data", "match[]"},
	} {
		values := url.Values{"query": {c.query}}
		if c.path == "query_range" {
			values.Set("start", year.Get("start"))
			values.Set("end", year.Get("end"))
			values.Set("step", c.step)
		}
		code, a := s.ask(t, c.path, values)
		if code != c.code || a.Status != "error" || a.ErrorType != c.kind || !strings.Contains(a.Error, c.words) {
			t.Errorf("%s %s: got %d %s %q, want %d %s with %q", c.path, c.query, code, a.ErrorType, a.Error, c.code, c.kind, c.words)
		}
	}
	if code, a := s.ask(t, "query", url.Values{"query": {"cairn_deployments_total"}, "timeout": {"0.000001"}}); code != http.StatusServiceUnavailable || a.ErrorType != "timeout" {
		t.Errorf("out of time: got %d %s %s", code, a.ErrorType, a.Error)
	}
	if _, a := s.ask(t, "labels", url.Values{"limit": {"2"}}); string(a.Data) != `["__name__","capability"]` || len(a.Warnings) != 1 {
		t.Errorf("limit: got %s %v, want two labels and a warning", a.Data, a.Warnings)
	}
}

// What Grafana's data source asks for is there.
func TestGrafanaIsAnswered(t *testing.T) {
	s := small(t, prometheus.DefaultConfig(), metricstest.SmallNow)
	for path, want := range map[string]string{
		"status/buildinfo": `"version":"3.0.0"`, "rules": `{"groups":[]}`, "alerts": `{"alerts":[]}`, "query_exemplars": `[]`, "status/config": `yaml`,
		"metadata?metric=cairn_deployments_total": `{"cairn_deployments_total":[{"type":"counter"`,
		"label/window/values":                     `["28d","7d","90d"]`, "label/environment/values": `["production"]`,
		"label/team/values?match[]=cairn_service_owner_info": `["checkout","platform"]`,
		"query?query=1%2B1": `"scalar"`, "series?match[]=cairn_survey_csat_ratio": `[{"__name__":"cairn_survey_csat_ratio","window":"28d"}`,
	} {
		path, text, _ := strings.Cut(path, "?")
		values, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if code, a := s.ask(t, path, values); code != http.StatusOK || !strings.Contains(string(a.Data), want) {
			t.Errorf("%s: got %d %s, want %s", path, code, a.Data, want)
		}
	}
}
