// Package hooktest holds what every receiver has to keep: what is heard twice, or in another order, ends the same.
package hooktest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
)

// Receiver is what is tested.
type Receiver interface {
	Verify(h http.Header, body []byte, now time.Time) error
	Describe(h http.Header, body []byte) source.Delivery
	Hear(d source.Delivery) (source.Heard, error)
}

// Request is one webhook.
type Request struct {
	Header http.Header
	Body   []byte
}

// Receive verifies, describes and hears.
func Receive(t testing.TB, r Receiver, q Request, now time.Time) (source.Heard, error) {
	t.Helper()
	if err := r.Verify(q.Header, q.Body, now); err != nil {
		t.Fatalf("%s\nis refused: %v", q.Body, err)
	}
	d := r.Describe(q.Header, q.Body)
	if d.ID == "" || d.Source == "" || d.Header.Get("Authorization") != "" {
		t.Fatalf("the delivery is described as %q of %q, with the headers %v", d.ID, d.Source, d.Header)
	}
	heard, err := r.Hear(d)
	if err != nil {
		return heard, err
	}
	if (heard.Ignored == "") == (len(heard.Facts)+len(heard.Wakes) == 0) {
		t.Errorf("%s\ntells %d facts and is ignored because of %q", q.Body, len(heard.Facts), heard.Ignored)
	}
	again, err := r.Hear(source.Delivery{Source: d.Source, ID: d.ID, Event: d.Event, Header: d.Header, Body: d.Body})
	if err != nil || cmp.Diff(Tellings(heard.Facts), Tellings(again.Facts)) != "" {
		t.Errorf("%s\nheard again it is something else: %v", q.Body, err)
	}
	return heard, nil
}

// Facts are those of a webhook that has to be understood.
func Facts(t testing.TB, r Receiver, q Request, now time.Time) []event.Event {
	t.Helper()
	heard, err := Receive(t, r, q, now)
	if err != nil {
		t.Fatalf("%s\n%v", q.Body, err)
	}
	return heard.Facts
}

// Tellings are facts as JSON, to be compared.
func Tellings(facts []event.Event) []string {
	var all []string
	for _, e := range facts {
		text, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		all = append(all, string(text))
	}
	return all
}

// Known are the tellings that win, by their keys.
func Known(facts []event.Event) map[string]event.Event {
	known := map[string]event.Event{}
	for _, e := range facts {
		key := keyOf(e)
		if before, ok := known[key]; !ok || event.Version(e) > event.Version(before) {
			known[key] = e
		}
	}
	return known
}

func keyOf(e event.Event) string {
	switch e := e.(type) {
	case *event.Deployment:
		return fmt.Sprintf("deployment %s %s %d", e.Service, e.ID, e.Attempt)
	case *event.PipelineRun:
		return fmt.Sprintf("run %s %s %d", e.Repository, e.ID, e.Attempt)
	case *event.ChangeRequest:
		return fmt.Sprintf("change %s %s", e.Repository, e.ID)
	case *event.Incident:
		return fmt.Sprintf("incident %s %s", e.Source, e.ID)
	case *event.Service:
		return "service " + e.ID
	case *event.Repository:
		return "repository " + e.ID
	case *event.Survey:
		return "survey " + e.ID
	case *event.SurveyInvitation:
		return fmt.Sprintf("invitation %s %s", e.Survey, e.Respondent)
	case *event.SurveyResponse:
		return fmt.Sprintf("response %s %s %s", e.Survey, e.Respondent, e.SubmittedAt.Format(time.RFC3339Nano))
	case *event.ProvisioningRequest:
		return fmt.Sprintf("request %s %s", e.Source, e.ID)
	case *event.CapabilityUse:
		return fmt.Sprintf("use %s %s %s", e.Service, e.Capability, e.ObservedAt.UTC().Format(time.RFC3339Nano))
	}
	panic("hooktest: no key for a " + e.Kind())
}

// Converges holds that webhooks end in the same facts in every order, repeated, and with restarts in between, behind which
// what was heard before is heard again and what that tells is thrown away, as intake does it; `make` makes a receiver that
// knows nothing. It returns the facts that are known at the end.
func Converges(t testing.TB, make func() Receiver, now time.Time, requests ...Request) map[string]event.Event {
	t.Helper()
	heard := func(requests []Request) map[string]event.Event {
		r := make()
		var facts []event.Event
		for _, q := range requests {
			facts = append(facts, Facts(t, r, q, now)...)
		}
		return Known(facts)
	}
	want := heard(requests)
	backwards := slices.Clone(requests)
	slices.Reverse(backwards)
	orders := map[string][]Request{"backwards": backwards, "twice": slices.Concat(requests, requests), "there and back": slices.Concat(requests, backwards), "back and there": slices.Concat(backwards, requests)}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		mixed := slices.Concat(requests, requests)
		random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		orders[fmt.Sprintf("mixed %d", i)] = mixed
	}
	for name, order := range orders {
		if diff := cmp.Diff(want, heard(order)); diff != "" {
			t.Errorf("%s it ends otherwise (-in order +%s):\n%s", name, name, diff)
		}
	}
	restarting(t, make, now, want, requests)
	return want
}

func restarting(t testing.TB, make func() Receiver, now time.Time, want map[string]event.Event, requests []Request) {
	rapid.Check(t, func(rt *rapid.T) {
		places := slices.Concat(indices(requests), rapid.SliceOfN(rapid.IntRange(0, len(requests)-1), 0, len(requests)).Draw(rt, "repeated"))
		order := rapid.Permutation(places).Draw(rt, "order")
		restarts := rapid.SliceOfNDistinct(rapid.IntRange(0, len(order)-1), 0, min(3, len(order)), rapid.ID[int]).Draw(rt, "restarts before")
		r := make()
		var facts []event.Event
		for i, place := range order {
			if slices.Contains(restarts, i) {
				r = make()
				for _, before := range order[:i] {
					Facts(t, r, requests[before], now)
				}
			}
			facts = append(facts, Facts(t, r, requests[place], now)...)
		}
		if diff := cmp.Diff(want, Known(facts)); diff != "" {
			rt.Fatalf("with restarts it ends otherwise (-in order +so):\n%s", diff)
		}
	})
}

func indices(requests []Request) []int {
	all := make([]int, len(requests))
	for i := range all {
		all[i] = i
	}
	return all
}

// Refuses holds that a request is denied with each of the headers.
func Refuses(t testing.TB, r Receiver, body []byte, now time.Time, headers map[string]http.Header) {
	t.Helper()
	for name, h := range headers {
		if err := r.Verify(h, body, now); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: got %v, want it denied", name, err)
		}
	}
}

// Misunderstands holds that each body is a fault.Invalid when it is heard.
func Misunderstands(t testing.TB, r Receiver, h http.Header, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		heard, err := r.Hear(r.Describe(h, []byte(body)))
		if fault.KindOf(err) != fault.Invalid || len(heard.Facts) > 0 {
			t.Errorf("%s\nis %v with %d facts, want it invalid", body, err, len(heard.Facts))
		}
	}
}
