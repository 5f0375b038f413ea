package event

import (
	"iter"
	"reflect"
)

// Batch holds events by kind. Its fields stand in the order of the kinds (see Kinds), and so do All and the tables of
// the store.
type Batch struct {
	Repositories         []Repository
	Branches             []Branch
	Commits              []Commit
	ChangeRequests       []ChangeRequest
	PipelineRuns         []PipelineRun
	Teams                []Team
	People               []Person
	Memberships          []Membership
	Services             []Service
	Ownerships           []Ownership
	Artifacts            []Artifact
	Deployments          []Deployment
	Incidents            []Incident
	ProvisioningRequests []ProvisioningRequest
	CapabilityUses       []CapabilityUse
	CapabilityExemptions []CapabilityExemption
	Surveys              []Survey
	SurveyInvitations    []SurveyInvitation
	SurveyResponses      []SurveyResponse
	SLOs                 []SLO
}

// Kinds lists the kinds of facts in their fixed order: what others refer to comes first.
func Kinds() []string {
	names := make([]string, len(vocabulary.kinds))
	for i, k := range vocabulary.kinds {
		names[i] = k.kind
	}
	return names
}

// New returns an empty event of the kind, or nil when there is no such kind.
func New(kind string) Event {
	p := vocabulary.byKind[kind]
	if p == nil {
		return nil
	}
	return reflect.New(p.typ).Interface().(Event)
}

// Len is the number of events of all kinds.
func (b *Batch) Len() int {
	n := 0
	for _, count := range b.Counts() {
		n += count
	}
	return n
}

// Counts yields the kinds that have events in the batch, and how many, in the order of the kinds.
func (b *Batch) Counts() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		v := reflect.ValueOf(b).Elem()
		for i, k := range vocabulary.kinds {
			if n := v.Field(i).Len(); n > 0 && !yield(k.kind, n) {
				return
			}
		}
	}
}

// Append adds copies of the events.
func (b *Batch) Append(events ...Event) {
	v := reflect.ValueOf(b).Elem()
	for _, e := range events {
		slice := v.Field(vocabulary.byKind[e.Kind()].at)
		slice.Set(reflect.Append(slice, reflect.ValueOf(e).Elem()))
	}
}

// All yields every event, kind by kind, each kind in the order in which its events came. The pointers lead into the
// batch.
func (b *Batch) All() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		v := reflect.ValueOf(b).Elem()
		for i := range vocabulary.kinds {
			slice := v.Field(i)
			for j := range slice.Len() {
				if !yield(slice.Index(j).Addr().Interface().(Event)) {
					return
				}
			}
		}
	}
}

// Reset empties the batch and keeps its memory for the next events.
func (b *Batch) Reset() {
	v := reflect.ValueOf(b).Elem()
	for i := range vocabulary.kinds {
		slice := v.Field(i)
		slice.Clear()
		slice.SetLen(0)
	}
}
