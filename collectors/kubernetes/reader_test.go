package kubernetes_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/collectors"
	"cairn/collectors/kubernetes"
	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/internal/event"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

type object = kubernetestest.Object

// tb is a testing.TB, or the T of a property.
type tb interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// reader reads a cluster as cairn does, over TLS and the ordinary transport, and keeps what a store would keep.
type reader struct {
	t         tb
	config    kubernetes.Config
	link      *collectors.Link
	positions map[string]string
	told      []event.Event
	wakes     []source.Wake
	now       time.Time
	reports   map[string]source.Report
	forgetful bool // positions are not saved, as when the process is killed before
}

var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newReader(t tb, c *kubernetestest.Cluster, change ...func(*kubernetes.Config)) *reader {
	config := kubernetes.DefaultConfig()
	config.Cluster, config.Kubeconfig = "prod", c.Kubeconfig()
	for _, f := range change {
		f(&config)
	}
	r := &reader{t: t, config: config, positions: map[string]string{}, now: epoch, reports: map[string]source.Report{}}
	r.restart()
	return r
}

// restart makes the connection anew, with nothing but the positions that were saved.
func (r *reader) restart() {
	rs, err := rules.New(rules.DefaultConfig())
	if err != nil {
		r.t.Fatal(err)
	}
	transport := collectors.DefaultTransportConfig()
	transport.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	if r.link, err = collectors.Kinds()["kubernetes"].Link(&r.config, collectors.Deps{Rules: rs, Transport: transport}); err != nil {
		r.t.Fatal(err)
	}
	for stream, position := range r.positions {
		if err := r.link.Connection.Recall(stream, position); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *reader) Write(_ context.Context, b *event.Batch) error {
	for e := range b.All() {
		if wrong := event.Validate(e); wrong != nil {
			r.t.Fatalf("intake refuses %+v: %v", e, wrong)
		}
		switch e := e.(type) { // the batch's memory is used again
		case *event.ProvisioningRequest:
			own := *e
			r.told = append(r.told, &own)
		case *event.Deployment:
			own := *e
			r.told = append(r.told, &own)
		}
	}
	return nil
}

func (r *reader) Save(_ context.Context, stream, position string) error {
	if !r.forgetful {
		r.positions[stream] = position
	}
	return nil
}

// turn gives a stream a turn.
func (r *reader) turn(s source.Stream) error {
	r.now = r.now.Add(time.Second)
	turn, err := r.link.Connection.Turn(s, r.positions[s.Name], r.now)
	if err != nil {
		return err
	}
	_, err = collectors.Run(context.Background(), turn, r)
	r.reports[s.Name] = turn.Report()
	return err
}

// read gives each stream turns until there is no more.
func (r *reader) read() {
	r.readOf("")
}

// readOf does that for the streams whose name holds a text, and the definitions.
func (r *reader) readOf(part string) {
	if err := r.turn(r.link.Connection.Streams()[0]); err != nil {
		r.t.Fatal(err)
	}
	for _, s := range r.link.Connection.Streams()[1:] {
		for more := strings.Contains(s.Name, part); more; more = r.reports[s.Name].More {
			if err := r.turn(s); err != nil {
				r.t.Fatalf("%s: %v", s.Name, err)
			}
		}
	}
}

// stream finds a stream by name.
func (r *reader) stream(name string) source.Stream {
	for _, s := range r.link.Connection.Streams() {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("there is no stream %s", name)
	return source.Stream{}
}

// hear has a batch of the audit log go the way of webhooks.
func (r *reader) hear(body []byte) source.Heard {
	h := map[string][]string{"Authorization": {"Bearer audit-secret"}, "Content-Type": {"application/json"}}
	if err := r.link.Receiver.Verify(h, body, r.now); err != nil {
		r.t.Fatal(err)
	}
	d := r.link.Receiver.Describe(h, body)
	d.Source, d.ReceivedAt = "kubernetes", r.now
	heard, err := r.link.Receiver.Hear(d)
	if err != nil {
		r.t.Fatal(err)
	}
	r.told = append(r.told, heard.Facts...)
	r.wakes = append(r.wakes, heard.Wakes...)
	return heard
}

// kept is what a store keeps of tellings: of each fact the highest version.
func kept(told []event.Event) map[string]event.Event {
	by := map[string]event.Event{}
	for _, e := range told {
		var key string
		switch e := e.(type) {
		case *event.ProvisioningRequest:
			key = strings.Join([]string{e.Source, e.ID}, " ")
		case *event.Deployment:
			key = strings.Join([]string{e.Source, e.Service, e.ID}, " ")
		}
		if before := by[key]; before == nil || event.Version(e) > event.Version(before) {
			by[key] = e
		}
	}
	return by
}

// requests are the requests that are known, by id.
func (r *reader) requests() map[string]event.ProvisioningRequest {
	requests := map[string]event.ProvisioningRequest{}
	for _, e := range kept(r.told) {
		if e, is := e.(*event.ProvisioningRequest); is {
			requests[e.ID] = *e
		}
	}
	return requests
}

// payload reads objects of a recorded list.
func payload(t *testing.T, path ...string) []object {
	t.Helper()
	text, err := os.ReadFile(sharedtest.Path(t, append([]string{"payloads"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []object }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	is, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// reversed is a list of tellings from its end.
func reversed(told []event.Event) []event.Event {
	other := slices.Clone(told)
	slices.Reverse(other)
	return other
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
