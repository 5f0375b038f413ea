package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"cairn/internal/problem"
)

// Each list takes its filters, and refuses what makes no sense with a problem that names the mistake.
func TestListRoutes(t *testing.T) {
	h := small(t)
	for _, c := range []struct {
		target string
		status int
		say    string
	}{
		{"/api/v1/services", 200, `"total":4`},
		{"/api/v1/services?search=PAY", 200, `"total":1`},
		{"/api/v1/services?team=product&retired=true", 200, `"total":2`},
		{"/api/v1/services?golden_path=full", 200, `"id":"auth"`},
		{"/api/v1/services?lifecycle=experimental", 200, `"id":"wiki"`},
		{"/api/v1/services?tier=9&system=x&tag=y", 200, `"services":[],"total":0`},
		{"/api/v1/services/webshop", 200, `"ownership":[{"team":"platform","from":null,"to":"2026-01-10T00:00:00Z"},{"team":"checkout"`},
		{"/api/v1/services/%77ebshop", 200, `"id":"shop"`},
		{"/api/v1/services/edge", 200, `"catalogued":false`},
		{"/api/v1/teams?search=CHECK", 200, `"members":3`},
		{"/api/v1/teams?parent=product&retired=true", 200, `"id":"mobile"`},
		{"/api/v1/teams/checkout", 200, `"services":["shop"]`},
		{"/api/v1/deployments?service=shop&kind=rollback", 200, `"id":"d4"`},
		{"/api/v1/deployments?failed=true&limit=1", 200, `"failed_by":["i2"]`},
		{"/api/v1/deployments?environment=staging", 200, `"id":"s1"`},
		{"/api/v1/deployments?from=2026-02-11T11:00&to=2026-02-11T11:01&tz=Europe/Berlin", 200, `"id":"d5"`},
		{"/api/v1/deployments?to=2026-01-03T00:00:00Z", 200, `"id":"d0"`},
		{"/api/v1/changes?deployment=d1", 200, `"lead_time_hours":48`},
		{"/api/v1/changes?waiting=true&team=checkout", 200, `"id":"c6"`},
		{"/api/v1/incidents?open=true", 200, `"hours_to_restore":null`},
		{"/api/v1/incidents?cause=external", 200, `"id":"i3"`},
		{"/api/v1/sources", 200, `"name":"gitlab","system":"","subjects":0,"subjects_failing":0,"streams":0`},
		{"/api/v1/sources?format=csv", 200, "github,github,2,2,0,1,0,1,0,0,10,4"},
		{"/api/v1/sources/github", 200, `"name":"<script>/runs"`},
		{"/api/v1/sources/github?problems=true", 200, `"fit":1`},
		{"/api/v1/sources/github?outcome=behind&kind=changes&subject=acme/shop", 200, `"seconds_left":14400,"rules":[{"rule":"no rule fits","n":2,"example":"CI of acme/shop"}]`},
		{"/api/v1/sources/github?format=csv", 200, `<script>/runs,<script>,runs,denied,'=403 of <script>,,2026-03-01T11:58:00Z,,,0,2,0,,,false,,`},
		{"/api/v1/sources/gitlab", 200, `"streams":[],"fit":0,"next":""`},

		{"/api/v1/sources?limit=1", 400, "limit"},
		{"/api/v1/sources/github?outcome=well", 400, "well"},
		{"/api/v1/sources/github?kind=pulls", 400, "pulls"},
		{"/api/v1/sources/github?problems=some", 400, "some"},
		{"/api/v1/sources/github?limit=0", 400, "limit"},
		{"/api/v1/sources/github?cursor=x", 400, "cursor"},
		{"/api/v1/sources/githup", 404, "there are: github, gitlab"},
		{"/api/v1/services?limit=0", 400, "limit"},
		{"/api/v1/services?limit=1001", 400, "1000"},
		{"/api/v1/services?limit=ten", 400, "ten"},
		{"/api/v1/services?cursor=x", 400, "cursor"},
		{"/api/v1/services?golden_path=half", 400, "half"},
		{"/api/v1/services?lifecycle=live", 400, "live"},
		{"/api/v1/services?retired=perhaps", 400, "perhaps"},
		{"/api/v1/services?owner=checkout", 400, "owner"},
		{"/api/v1/services?format=xml", 400, "xml"},
		{"/api/v1/services?team=chekout", 404, "chekout"},
		{"/api/v1/services/shap", 404, "shap"},
		{"/api/v1/services/a%2Fb", 404, "a/b"},
		{"/api/v1/services/shop?limit=1", 400, "limit"},
		{"/api/v1/services/shop/owners", 404, "shop/owners"},
		{"/api/v1/teams?limit=-1", 400, "limit"},
		{"/api/v1/teams?cursor=W10", 400, "cursor"},
		{"/api/v1/teams?retired=2", 400, "retired"},
		{"/api/v1/teams?parent=produkt", 404, "produkt"},
		{"/api/v1/teams/chekout", 404, "chekout"},
		{"/api/v1/deployments?service=shop&team=checkout", 400, "one of service, team"},
		{"/api/v1/deployments?kind=change_request", 400, "change_request"},
		{"/api/v1/deployments?failed=maybe", 400, "maybe"},
		{"/api/v1/deployments?runs=maybe", 400, "maybe"},
		{"/api/v1/deployments?from=2026-02-01&to=2026-01-01", 400, "before"},
		{"/api/v1/deployments?from=yesterday", 400, "yesterday"},
		{"/api/v1/deployments?tz=Mars", 400, "Mars"},
		{"/api/v1/deployments?limit=5000", 400, "1000"},
		{"/api/v1/deployments?cursor=x", 400, "cursor"},
		{"/api/v1/deployments?service=shap", 404, "shap"},
		{"/api/v1/changes?waiting=maybe", 400, "maybe"},
		{"/api/v1/changes?waiting=true&deployment=d1", 400, "waiting"},
		{"/api/v1/changes?to=never", 400, "never"},
		{"/api/v1/changes?limit=x", 400, "limit"},
		{"/api/v1/changes?team=chekout", 404, "chekout"},
		{"/api/v1/incidents?open=maybe", 400, "maybe"},
		{"/api/v1/incidents?cause=fate", 400, "fate"},
		{"/api/v1/incidents?from=x", 400, "from"},
		{"/api/v1/incidents?limit=x", 400, "limit"},
		{"/api/v1/incidents?service=shap", 404, "shap"},
		{"/openapi.json?pretty=1", 400, "pretty"},
		{"/api/v1/metrics?format=yaml", 400, "yaml"},
	} {
		w := send(t, h, "GET", c.target, "")
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.say) {
			t.Errorf("%s: got %d %s, want %d and %q", c.target, w.Code, w.Body, c.status, c.say)
		}
		var p problem.Problem
		if c.status >= 400 && (json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Status != c.status || w.Header().Get("Content-Type") != problem.ContentType) {
			t.Errorf("%s: the answer is no problem document: %s", c.target, w.Body)
		}
	}
	if w := send(t, h, "POST", "/api/v1/services", "{}"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
