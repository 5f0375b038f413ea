package terraform_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/hook/hooktest"
)

// Terraform's clock may be an hour off cairn's, either way: what is told is the same, and nothing is left out.
func TestAClockThatIsAnHourOffChangesNothing(t *testing.T) {
	story := func(off time.Duration) map[string]event.Event {
		c := newCloud(t)
		c.workspaces = []space{{"ws-1", "shop-prod"}}
		p := newProcess(t, c)
		for n := range 6 {
			began := ten.Add(time.Duration(20*n) * time.Minute)
			one := rn{id: fmt.Sprint("run-", n), status: "applying", changes: true, created: began, by: "ada", at: map[string]string{"applying-at": began.Add(time.Minute).Format(time.RFC3339)}}
			c.runs["ws-1"] = append(c.runs["ws-1"], one)
			p.now = began.Add(2*time.Minute + off)
			p.must()
			one.status, one.at = "applied", map[string]string{"applying-at": began.Add(time.Minute).Format(time.RFC3339), "applied-at": began.Add(5 * time.Minute).Format(time.RFC3339)}
			c.runs["ws-1"][n] = one
			p.now = began.Add(10*time.Minute + off)
			p.must()
		}
		known := hooktest.Known(p.facts)
		for _, e := range known {
			e.(*event.ProvisioningRequest).URL = "" // each story has a server of its own
		}
		return known
	}
	want := story(0)
	if len(want) != 6 {
		t.Fatalf("%d requests are told, want 6", len(want))
	}
	for _, e := range want {
		if r := e.(*event.ProvisioningRequest); r.Status != "ready" {
			t.Errorf("%s ends as %s", r.ID, r.Status)
		}
	}
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		if diff := cmp.Diff(want, story(off)); diff != "" {
			t.Errorf("%s off (-want +got):\n%s", off, diff)
		}
	}
}
