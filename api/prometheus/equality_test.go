package prometheus_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/api/prometheus"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// units is what a metric's value in its own unit is multiplied with to be in base units.
var units = map[string]float64{"hours": 3600, "days": 86400}

// At any instant a gauge is what the API answers for the window that ends there, to the last digit; where that has no
// number, or nothing was in service, there is no sample.
func TestAGaugeIsTheAPIsAnswerForItsWindow(t *testing.T) {
	s := small(t, prometheus.DefaultConfig(), metricstest.SmallNow)
	definitions := map[string]metrics.Definition{}
	for _, d := range metrics.Definitions() {
		definitions[d.ID] = d
	}
	seen := 0
	rapid.Check(t, func(r *rapid.T) {
		g := rapid.SampledFrom(prometheus.Gauges()).Draw(r, "gauge")
		at := metricstest.SmallNow().Add(-time.Duration(rapid.Int64Range(0, int64(120*24*time.Hour/time.Millisecond)).Draw(r, "ago")) * time.Millisecond)
		days := rapid.SampledFrom([]int{7, 28, 90}).Draw(r, "days")
		_, list := s.instant(t, fmt.Sprintf(`{__name__=%q,window="%dd"}`, g.Name, days), at)
		got := map[string]string{}
		for _, x := range list {
			got[x.Metric["team"]+"|"+x.Metric["service"]+"|"+x.Metric["statistic"]+"|"+x.Metric["capability"]] = x.Value[1].(string)
		}
		inventory, err := s.engine.Inventory(t.Context())
		if err != nil {
			r.Fatal(err)
		}
		scopes := [][2]string{{"", ""}}
		if !g.People {
			for _, team := range inventory.Teams {
				scopes = append(scopes, [2]string{"team", team})
			}
			for _, service := range inventory.Services {
				scopes = append(scopes, [2]string{"service", service.Service})
			}
		}
		statistics, capabilities := g.Statistics, []string{""}
		if len(statistics) == 0 {
			statistics = []string{""}
		}
		if g.Metric == "adoption_rate" {
			capabilities = append(capabilities, s.engine.Capabilities()...)
		}
		for _, scope := range scopes {
			for _, statistic := range statistics {
				for _, capability := range capabilities {
					q := url.Values{"from": {at.AddDate(0, 0, -days).Format(time.RFC3339Nano)}, "to": {at.Format(time.RFC3339Nano)}}
					if scope[0] != "" {
						q.Set(scope[0], scope[1])
					}
					if statistic != "" {
						q.Set("statistic", statistic)
					}
					if capability != "" {
						q.Set("capability", capability)
					}
					want := s.api(t, g.Metric, q, units[definitions[g.Metric].Unit])
					key := map[string]string{"team": "", "service": ""}
					if scope[0] != "" {
						key[scope[0]] = scope[1]
					}
					if got := got[key["team"]+"|"+key["service"]+"|"+statistic+"|"+capability]; got != want {
						r.Errorf("%s %v at %s: got %q, want %q", g.Name, q, at, got, want)
					}
					if want != "" {
						seen++
					}
				}
			}
		}
	})
	if seen < 10 { // how many have a number is a matter of chance
		t.Errorf("%d numbers were compared: too few", seen)
	}
}

// api is the API's answer as a sample, "" for none.
func (s *served) api(t testing.TB, metric string, q url.Values, unit float64) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/metrics/"+metric+"?"+q.Encode(), nil))
	if w.Code == http.StatusNotFound && strings.Contains(w.Body.String(), "has no question") { // so it has no number
		return ""
	}
	var r metrics.Result
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != 200 {
		t.Fatalf("%s %v: %d, %v, %s", metric, q, w.Code, err, w.Body)
	}
	v, ok := r.Value.(float64)
	for _, flag := range r.Flags {
		ok = ok && flag != metrics.FlagNotDeployed
	}
	if !ok {
		return ""
	}
	if unit != 0 {
		v *= unit
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
