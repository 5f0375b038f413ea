package metrics_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"cairn/internal/store/storetest"
	"cairn/metrics"
)

func engine(t testing.TB, now string) *metrics.Engine {
	t.Helper()
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	e, err := metrics.New(metrics.DefaultConfig(), storetest.New(t), func() time.Time { return at }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func window(t testing.TB, from, to, zone string) metrics.Window {
	t.Helper()
	w, err := metrics.ParseWindow(from, to, zone)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// With nothing stored every metric answers, and none answers with a number that could be taken for a measurement.
func TestEveryMetricAnswersWithoutData(t *testing.T) {
	e := engine(t, "2026-03-01T12:00:00Z")
	for _, d := range e.Catalogue() {
		t.Run(d.ID, func(t *testing.T) {
			statistics := d.Statistics
			if len(statistics) == 0 {
				statistics = []string{""}
			}
			for _, s := range statistics {
				for _, b := range []metrics.Bucket{metrics.Whole, metrics.Month} {
					r, err := e.Query(context.Background(), metrics.Request{Metric: d.ID, Window: window(t, "2026-01-01", "2026-04-01", "Europe/Berlin"), Bucket: b, Statistic: s})
					if b != metrics.Whole && (d.ID == "csat" || d.ID == "enps" || d.ID == "pain_points" || d.ID == "survey_cells" || d.ID == "survey_response_rate") {
						if err == nil {
							t.Error("buckets of a survey were not refused")
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					if _, err := e.Explain(context.Background(), metrics.Request{Metric: d.ID, Window: window(t, "2026-01-01", "2026-04-01", "Europe/Berlin"), Statistic: s}, metrics.Page{}); err != nil {
						t.Fatal(err)
					}
					if d.Unit != "deployments" && d.ID != "deployments_per_week" && r.Value != nil {
						t.Errorf("%s %s: got %v, want null", s, b, r.Value)
					}
					for _, p := range r.Series {
						if p.Value != nil {
							t.Errorf("%s %s: got %v in %s, want null", s, b, p.Value, p.Label)
						}
					}
				}
			}
		})
	}
}

func TestTheDoctorKnowsEveryMetric(t *testing.T) {
	e := engine(t, "2026-03-01T12:00:00Z")
	r, err := e.Doctor(context.Background(), "", metrics.Scope{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(r.Metrics), len(e.Catalogue()); got != want {
		t.Errorf("got %d diagnoses, want %d", got, want)
	}
	for _, d := range r.Metrics {
		if len(d.Steps) == 0 || d.Missing == "" || d.Advice == "" {
			t.Errorf("%s: with nothing stored got %+v, want a first step without facts and what to do", d.Metric, d)
		}
	}
}
