package metrics_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// The evidence of adoption says what was seen last, and which agreement holds: the newest that has not run out, told
// under whatever name of the service.
func TestTheEvidenceOfAdoptionSaysWhy(t *testing.T) {
	st := storetest.New(t)
	tell(t, st, `
{"type":"service","id":"shop","lifecycle":"production","aliases":["webshop"],"created_at":"2025-01-01T00:00:00Z"}
{"type":"capability_use","service":"shop","capability":"cicd","observed_at":"2026-01-02T00:00:00Z","state":"own","evidence":"Jenkinsfile"}
{"type":"capability_use","service":"webshop","capability":"cicd","observed_at":"2026-01-20T00:00:00Z","state":"none","evidence":"no pipeline"}
{"type":"capability_use","service":"shop","capability":"cicd","observed_at":"2026-02-20T00:00:00Z","state":"golden","evidence":"after the window"}
{"type":"capability_exemption","service":"webshop","capability":"cicd","exemption":"escape_hatch","approved_at":"2026-01-05T00:00:00Z","expires_at":"2026-01-10T00:00:00Z","reason":"has run out"}
{"type":"capability_exemption","service":"webshop","capability":"cicd","exemption":"escape_hatch","approved_at":"2026-01-15T00:00:00Z","expires_at":"2026-03-01T00:00:00Z","reason":"needs a mainframe"}
`)
	e := over(t, st)
	ev, err := e.Explain(t.Context(), metrics.Request{Metric: "adoption_rate", Capability: "cicd", Window: window(t, "2026-01-01", "2026-02-01", "UTC"), AsOf: at("2026-02-10T00:00")}, metrics.Page{})
	if err != nil || len(ev.Items) != 1 {
		t.Fatalf("got %d facts, %v", len(ev.Items), err)
	}
	want := map[string]string{
		"capability": "cicd", "state": "none", "evidence": "no pipeline", "observed_at": "2026-01-20 00:00:00.000",
		"exemption": "escape_hatch", "exemption_reason": "needs a mainframe", "exemption_until": "2026-03-01 00:00:00.000",
	}
	if diff := cmp.Diff(want, ev.Items[0].Details); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
