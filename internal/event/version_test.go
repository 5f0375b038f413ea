package event_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/internal/event/eventtest"
)

func at(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }

func TestTheLaterTellingWins(t *testing.T) {
	told := func(hour int) event.Telling { return event.Telling{UpdatedAt: at(hour)} }
	for name, tellings := range map[string][]event.Event{ // ascending
		"updated_at before all else": {
			&event.Deployment{Telling: told(1), Status: "succeeded", FinishedAt: at(9)},
			&event.Deployment{Telling: told(2), Status: "pending"},
		},
		"without updated_at the latest instant": {
			&event.Deployment{Status: "pending", CreatedAt: at(1)},
			&event.Deployment{Status: "in_progress", CreatedAt: at(1), StartedAt: at(2)},
			&event.Deployment{Status: "failed", CreatedAt: at(1), StartedAt: at(2), FinishedAt: at(3)},
		},
		"same instant: the status decides": {
			&event.Deployment{Telling: told(1), Status: "pending"},
			&event.Deployment{Telling: told(1), Status: "in_progress"},
			&event.Deployment{Telling: told(1), Status: "cancelled"},
			&event.Deployment{Telling: told(1), Status: "failed"},
			&event.Deployment{Telling: told(1), Status: "succeeded"},
			&event.Deployment{Telling: told(1), Status: "succeeded", Failed: new(true)},
		},
		"an incident goes on": {
			&event.Incident{Telling: told(1)},
			&event.Incident{Telling: told(1), AcknowledgedAt: at(1)},
			&event.Incident{Telling: told(1), RestoredAt: at(1)},
			&event.Incident{Telling: told(1), RestoredAt: at(1), ResolvedAt: at(1)},
		},
		"a run goes on": {
			&event.PipelineRun{Telling: told(1), Status: "queued"},
			&event.PipelineRun{Telling: told(1), Status: "in_progress"},
			&event.PipelineRun{Telling: told(1), Status: "skipped"},
			&event.PipelineRun{Telling: told(1), Status: "failed"},
			&event.PipelineRun{Telling: told(1), Status: "succeeded"},
		},
		"a request goes on": {
			&event.ProvisioningRequest{RequestedAt: at(1), Status: "requested"},
			&event.ProvisioningRequest{RequestedAt: at(1), Status: "in_progress"},
			&event.ProvisioningRequest{RequestedAt: at(1), Status: "failed"},
			&event.ProvisioningRequest{RequestedAt: at(1), Status: "ready"},
			&event.ProvisioningRequest{RequestedAt: at(1), Status: "deleted"},
		},
		"a merged change request is closed too": {
			&event.ChangeRequest{Telling: told(1)},
			&event.ChangeRequest{Telling: told(1), ClosedAt: at(1)},
			&event.ChangeRequest{Telling: told(1), ClosedAt: at(1), MergedAt: at(1)},
		},
		"who knows the paths knows more": {
			&event.Commit{AuthoredAt: at(1), CommittedAt: at(2), Subject: "x"},
			&event.Commit{AuthoredAt: at(1), CommittedAt: at(2), Paths: []string{}},
		},
		"what may lie ahead dates nothing": {
			&event.Ownership{Service: "s", From: at(1)},
			&event.Ownership{Service: "s", From: at(1), To: at(9)},
			&event.Ownership{Telling: told(2), Service: "s", From: at(1)},
		},
		"an expiry dates nothing": {
			&event.CapabilityExemption{ApprovedAt: at(1), ExpiresAt: at(9)},
			&event.CapabilityExemption{Telling: told(2), ApprovedAt: at(1)},
		},
		"a close dates nothing": {
			&event.Survey{OpensAt: at(1), ClosesAt: at(9)},
			&event.Survey{Telling: told(2), OpensAt: at(1)},
		},
		"a millisecond is enough": {
			&event.Person{Telling: event.Telling{UpdatedAt: at(1)}, Name: "b"},
			&event.Person{Telling: event.Telling{UpdatedAt: at(1).Add(time.Millisecond)}, Name: "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i, e := range tellings[1:] {
				if before, after := event.Version(tellings[i]), event.Version(e); before >= after {
					t.Errorf("telling %d has version %x, telling %d has %x, which is not higher", i, before, i+1, after)
				}
			}
		})
	}
}

// The version is stored: a change of its definition would make old facts win over new ones. The hash alone may change
// when a field is added; see that it does not when the field is left out.
func TestVersionsStayWhatTheyAre(t *testing.T) {
	for _, tt := range []struct {
		e    event.Event
		want uint64
	}{
		{&event.Person{}, 0x6c85f},
		{&event.Deployment{Service: "s", ID: "1", Environment: "prod", Status: "succeeded", FinishedAt: at(1)}, 0x66ddc465a02047ae},
		{&event.Branch{Telling: event.Telling{Source: "git", UpdatedAt: at(2)}, Repository: "r", Name: "main", SHA: "c1"}, 0x66ddd22140077a6f},
	} {
		if got := event.Version(tt.e); got != tt.want {
			t.Errorf("%s: got %#x, want %#x", tt.e.Kind(), got, tt.want)
		}
	}
}

func TestAnyOrderHasTheSameWinner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(event.Kinds()).Draw(t, "kind")
		tellings := rapid.SliceOfN(eventtest.Of(kind), 2, 6).Draw(t, "tellings")
		winner := func(tellings []event.Event) string {
			return string(event.AppendJSON(nil, slices.MaxFunc(tellings, func(a, b event.Event) int {
				if event.Version(a) < event.Version(b) {
					return -1
				}
				return 1 // of equal ones the one that was told last, as the store does
			})))
		}
		want := winner(tellings)
		if got := winner(rapid.Permutation(tellings).Draw(t, "order")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestVersionDoesNotDependOnZoneAndPrecision(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	a := &event.Branch{Repository: "r", DeletedAt: at(5)}
	b := &event.Branch{Repository: "r", DeletedAt: at(5).Add(999 * time.Microsecond).In(zone)}
	if event.Version(a) != event.Version(b) {
		t.Error("one instant, written in two ways, has two versions")
	}
}
