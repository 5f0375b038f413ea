package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cairn/api"
	"cairn/ingest"
	"cairn/internal/problem"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

func server(t *testing.T) http.Handler {
	t.Helper()
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	e, err := metrics.New(metrics.DefaultConfig(), st, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return api.New(api.Deps{Engine: e, Store: st, Events: in.Handler(), Log: slog.New(slog.DiscardHandler), Instance: "test", Version: "test"})
}

// send sends a request with headers, each a name and a value.
func send(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

// Every route answers what is right and refuses what is wrong, each error as a problem document that names the mistake.
func TestRoutes(t *testing.T) {
	h := server(t)
	facts := `{"type":"deployment","service":"shop","id":"1","environment":"production","status":"succeeded","finished_at":"2026-01-02T00:00:00Z"}`
	if w := send(t, h, "POST", "/api/v1/events", facts); w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for _, c := range []struct {
		method, target, body string
		status               int
		say                  string
	}{
		{"GET", "/healthz", "", 200, `"status":"ok"`},
		{"GET", "/api/v1/metrics", "", 200, `"id":"lead_time"`},
		{"GET", "/api/v1/events.schema.json", "", 200, `"$schema"`},
		{"GET", "/api/v1/metrics/deployment_count?service=shop&from=2026-01-01&to=2026-02-01", "", 200, `"value":1`},
		{"GET", "/api/v1/metrics/deployment_count?service=shop", "", 200, `"series":[]`},
		{"GET", "/api/v1/metrics/deployment_count/evidence?service=shop&from=2026-01-01&to=2026-02-01", "", 200, `"id":"1"`},
		{"GET", "/api/v1/metrics/deployment_count?group_by=service&from=2026-01-01&to=2026-02-01", "", 200, `"groups":[{"key":"shop","value":1,`},
		{"GET", "/api/v1/metrics/deployment_count?service=shop&from=2026-01-01&to=2026-02-01&as_of=2026-01-03T01:00:00%2B01:00", "", 200, `"as_of":"2026-01-03T00:00:00Z","unit":"deployments","value":1`},
		{"GET", "/api/v1/metrics/deployment_count?service=shop&from=2026-01-01&to=2026-02-01&as_of=2026-01-01T00:00:00Z", "", 200, `"value":0`},
		{"GET", "/api/v1/metrics/deployment_count/evidence?service=shop&from=2026-01-01&to=2026-02-01&as_of=2026-01-01T00:00:00Z", "", 200, `"items":[]`},
		{"GET", "/api/v1/metrics/deployment_count?service=shop&as_of=2026-01-02T12:00:00Z", "", 200, `"to":"2026-01-03T00:00:00"`},
		{"GET", "/api/v1/doctor?service=shop", "", 200, `"n":1`},
		{"GET", "/api/v1/doctor?metric=lead_time", "", 200, `"missing":`},
		{"GET", "/api/v1/collectors/git/position?stream=shop", "", 200, `"position":""`},
		{"PUT", "/api/v1/collectors/git/position", `{"stream":"shop","position":"p1"}`, 200, `"p1"`},
		{"GET", "/api/v1/collectors/git/position?stream=shop", "", 200, `"position":"p1"`},
		{"GET", "/api/v1/collectors/gitlab/position?stream=shop", "", 200, `"position":""`},

		{"GET", "/api/v1/sources", "", 200, `"sources":[]`},

		{"GET", "/", "", 404, "there is nothing at /"},
		{"GET", "/api/v1/sources/github", "", 404, "nothing was read or heard yet"},
		{"POST", "/api/v1/replay", "", 404, "no source is configured"},
		{"POST", "/api/v1/replay?sauce=github", "", 400, "sauce"},
		{"GET", "/api/v1/replay", "", 405, "GET"},
		{"GET", "/api/v1/events", "", 405, "GET"},
		{"POST", "/api/v1/metrics", "", 405, "POST"},
		{"POST", "/api/v1/events", `{"type":"deploiment"}`, 400, "deploiment"},
		{"GET", "/api/v1/metrics/leadtime", "", 404, "leadtime"},
		{"GET", "/api/v1/metrics/lead_time?service=shap", "", 404, "shap"},
		{"GET", "/api/v1/metrics/lead_time?team=chekout", "", 404, "chekout"},
		{"GET", "/api/v1/metrics/lead_time?service=shop&team=checkout", "", 400, "one of service, team"},
		{"GET", "/api/v1/metrics/lead_time?servce=shop", "", 400, "servce"},
		{"GET", "/api/v1/metrics/lead_time?service=shop&service=web", "", 400, "2 times"},
		{"GET", "/api/v1/metrics/lead_time?from=tomorrow", "", 400, "tomorrow"},
		{"GET", "/api/v1/metrics/lead_time?to=never", "", 400, "never"},
		{"GET", "/api/v1/metrics/lead_time?from=2026-02-01&to=2026-01-01", "", 400, "before"},
		{"GET", "/api/v1/metrics/lead_time?tz=Mars/Olympus", "", 400, "Mars/Olympus"},
		{"GET", "/api/v1/metrics/lead_time?bucket=moon", "", 400, "moon"},
		{"GET", "/api/v1/metrics/lead_time?statistic=mean", "", 400, "mean"},
		{"GET", "/api/v1/metrics/deployment_count?statistic=p50", "", 400, "no statistics"},
		{"GET", "/api/v1/metrics/adoption_rate?target=eu", "", 400, "target"},
		{"GET", "/api/v1/metrics/lead_time?stage=lunch", "", 400, "lunch"},
		{"GET", "/api/v1/metrics/lead_time?as_of=2026-01-31", "", 400, "2026-01-31T14:30:00Z"},
		{"GET", "/api/v1/metrics/lead_time?as_of=2999-01-01T00:00:00Z", "", 400, "2999-01-01T00:00:00Z"},
		{"GET", "/api/v1/metrics/lead_time?group_by=moon", "", 400, "moon"},
		{"GET", "/api/v1/metrics/csat?group_by=team", "", 400, "survey_cells"},
		{"GET", "/api/v1/metrics/lead_time/evidence?group_by=team", "", 400, "group_by"},
		{"GET", "/api/v1/metrics/lead_time?include_bots=maybe", "", 400, "maybe"},
		{"GET", "/api/v1/metrics/csat?service=shop", "", 400, "people"},
		{"GET", "/api/v1/metrics/csat?bucket=week", "", 400, "buckets"},
		{"GET", "/api/v1/metrics/csat?survey=2031Q1", "", 404, "2031Q1"},
		{"GET", "/api/v1/metrics/deploy_days_per_week?bucket=day&service=shop", "", 400, "month"},
		{"GET", "/api/v1/metrics/lead_time/evidence?limit=-1", "", 400, "limit"},
		{"GET", "/api/v1/metrics/lead_time/evidence?limit=1000000", "", 400, "10000"},
		{"GET", "/api/v1/metrics/lead_time/evidence?offset=x", "", 400, "offset"},
		{"GET", "/api/v1/doctor?metric=leadtime", "", 404, "leadtime"},
		{"GET", "/api/v1/collectors/git/position", "", 400, "stream"},
		{"PUT", "/api/v1/collectors/git/position", `{"stream":"shop","positon":"p1"}`, 400, "positon"},
		{"PUT", "/api/v1/collectors/git/position", `{"position":"p1"}`, 400, "stream"},
	} {
		w := send(t, h, c.method, c.target, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.say) {
			t.Errorf("%s %s: got %d %s, want %d and %q", c.method, c.target, w.Code, w.Body, c.status, c.say)
		}
		if c.status < 400 {
			continue
		}
		var p problem.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != c.status || p.Title == "" || p.Type == "" || w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s %s: the answer is no problem document: %s", c.method, c.target, w.Body)
		}
	}
}
