package argocd_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/argocd"
	"cairn/internal/event"
	"cairn/internal/hook/hooktest"
)

// The clock of Argo CD may be an hour off cairn's, or be set right in the middle: what is told is the same, and nothing is
// left out.
func TestAClockThatIsAnHourOffChangesNothing(t *testing.T) {
	s := newServer(t)
	story := func(off time.Duration) map[string]event.Event {
		c := s.connection(t, s.config())
		var all []event.Event
		position := ""
		history := []func(*argocd.Application){}
		for n := range 5 {
			history = append(history, synced(10*n, int64(n), sha(n)))
			s.apps = []json.RawMessage{raw(app(history...))}
			var facts []event.Event
			var err error
			if facts, position, _, err = turn(t, c, position, at(minute(10*n+2)).Add(off)); err != nil {
				t.Fatal(err)
			}
			all = append(all, facts...)
		}
		return hooktest.Known(all)
	}
	want := story(0)
	if len(want) != 5 {
		t.Fatalf("%d deployments are told, want 5", len(want))
	}
	for _, off := range []time.Duration{-time.Hour, time.Hour, -36 * time.Hour, 36 * time.Hour} {
		if diff := cmp.Diff(want, story(off)); diff != "" {
			t.Errorf("%s off (-want +got):\n%s", off, diff)
		}
	}
	// Several controllers have several clocks: one that is behind hides no sync of another.
	c := s.connection(t, s.config())
	ahead, behind := app(synced(60, 0, sha(1))), app(synced(0, 0, sha(2)))
	behind.Metadata.Name, behind.Metadata.UID = "pay", "u2"
	s.apps = []json.RawMessage{raw(ahead)}
	_, position, _, err := turn(t, c, "", at(minute(62)))
	if err != nil {
		t.Fatal(err)
	}
	s.apps = append(s.apps, raw(behind))
	facts, _, _, err := turn(t, c, position, at(minute(65)))
	if err != nil || hooktest.Known(facts)["deployment pay argocd:u2:0:"+minute(1)+" 1"] == nil {
		t.Errorf("a sync by a clock that is an hour behind is not told: %v, %v", hooktest.Tellings(facts), err)
	}
}
