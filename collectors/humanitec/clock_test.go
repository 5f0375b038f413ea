package humanitec_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/humanitec"
	"cairn/internal/event"
)

// Humanitec's clock may be an hour off cairn's, either way: what is told is the same, and nothing is left out.
func TestAClockThatIsAnHourOffChangesNothing(t *testing.T) {
	for _, version := range []string{humanitec.V1, humanitec.V2} {
		story := func(off time.Duration) (known map[string]event.Event) {
			o := newOrchestrator(t)
			o.apps["shop"] = map[string]string{"live": "production"}
			p := newProcess(t, o, version)
			for n := range 6 {
				began := ten.Add(time.Duration(20*n) * time.Minute)
				d := dep{app: "shop", env: "live", id: fmt.Sprint("d", n), status: "in progress", mode: "deploy", created: began}
				if version == humanitec.V2 {
					d.status = "executing"
				} else {
					d.changed = began
				}
				o.deploys = append(o.deploys, d)
				p.now = began.Add(time.Minute + off)
				p.must()
				d.status, d.changed = "succeeded", began.Add(5*time.Minute)
				o.deploys[n] = d
				p.now = began.Add(10*time.Minute + off)
				known = p.must()
			}
			return known
		}
		want := story(0)
		if len(want) != 6 {
			t.Fatalf("%s: %d deployments are told, want 6", version, len(want))
		}
		for _, e := range want {
			if d := e.(*event.Deployment); d.Status != "succeeded" {
				t.Errorf("%s: %s ends as %s", version, d.ID, d.Status)
			}
		}
		for _, off := range []time.Duration{-time.Hour, time.Hour} {
			if diff := cmp.Diff(want, story(off)); diff != "" {
				t.Errorf("%s, %s off (-want +got):\n%s", version, off, diff)
			}
		}
	}
}
