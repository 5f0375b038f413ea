package backstage_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/collectors/backstage"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// portal is a made-up Backstage.
type portal struct {
	t        *testing.T
	server   *httptest.Server
	config   backstage.Config
	entities []map[string]any
	hidden   map[string]bool // references that lists leave out
	tasks    []map[string]any
	events   map[string][]map[string]any
	results  map[string]map[string]any // by reference and check
	token    string
	page     int                                               // entities per page
	before   func(w http.ResponseWriter, r *http.Request) bool // answers instead
	asked    []string
	listed   int
}

func newPortal(t *testing.T) *portal {
	p := &portal{t: t, token: "secret", page: 2, hidden: map[string]bool{}, events: map[string][]map[string]any{}, results: map[string]map[string]any{}}
	p.server = &httptest.Server{URL: "http://portal.test"}
	p.config = backstage.DefaultConfig()
	p.config.URL, p.config.Token, p.config.App = p.server.URL, "secret", "https://portal.example"
	return p
}

// RoundTrip answers in the same process; what goes to another host goes there.
func (p *portal) RoundTrip(r *http.Request) (*http.Response, error) {
	if "http://"+r.URL.Host != p.server.URL {
		return http.DefaultTransport.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	p.serve(w, r)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func text(v any) string { s, _ := v.(string); return s }

func refOf(e map[string]any) string {
	m, _ := e["metadata"].(map[string]any)
	return strings.ToLower(text(e["kind"]) + ":" + cmp.Or(text(m["namespace"]), "default") + "/" + text(m["name"]))
}

func (p *portal) serve(w http.ResponseWriter, r *http.Request) {
	p.asked = append(p.asked, r.Method+" "+r.URL.RequestURI())
	w.Header().Set("Content-Type", "application/json")
	if p.before != nil && p.before(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+p.token {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"name":"AuthenticationError","message":"Illegal token"}}`)
		return
	}
	q := r.URL.Query()
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch path := r.URL.Path; {
	case path == "/api/catalog/entities/by-query":
		// A cursor is the kind and the name after which the page begins, as in Backstage: what is added before it is not seen.
		kind, after, _ := strings.Cut(strings.TrimPrefix(q.Get("filter"), "kind="), "|")
		if cursor := q.Get("cursor"); cursor != "" {
			if q.Get("filter")+q.Get("orderField") != "" {
				p.t.Errorf("a cursor has the filter in it: %s", r.URL.RawQuery)
			}
			kind, after, _ = strings.Cut(cursor, "|")
		}
		var list []map[string]any
		total := 0
		for _, e := range p.entities {
			if !strings.EqualFold(text(e["kind"]), kind) || p.hidden[refOf(e)] {
				continue
			}
			total++
			if refOf(e) > after {
				list = append(list, e)
			}
		}
		slices.SortFunc(list, func(a, b map[string]any) int { return strings.Compare(refOf(a), refOf(b)) })
		page := map[string]any{}
		if len(list) > p.page {
			list = list[:p.page]
			page["nextCursor"] = kind + "|" + refOf(list[p.page-1])
		}
		if list == nil {
			list = []map[string]any{}
		}
		answer(map[string]any{"items": list, "totalItems": total, "pageInfo": page})
	case path == "/api/catalog/entities/by-refs":
		var body struct{ EntityRefs []string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			p.t.Error(err)
		}
		items := make([]any, len(body.EntityRefs))
		for i, ref := range body.EntityRefs {
			for _, e := range p.entities {
				if refOf(e) == ref {
					items[i] = map[string]any{"kind": e["kind"]}
				}
			}
		}
		answer(map[string]any{"items": items})
	case path == "/api/scaffolder/v2/tasks":
		if q.Get("order") != "desc:created_at" {
			p.t.Errorf("tasks in the order %q", q.Get("order"))
		}
		list := slices.Clone(p.tasks)
		if p.listed++; p.listed%3 == 0 { // the order within a second is any
			slices.Reverse(list)
		}
		slices.SortStableFunc(list, func(a, b map[string]any) int { return strings.Compare(text(b["createdAt"]), text(a["createdAt"])) })
		offset, _ := strconv.Atoi(q.Get("offset"))
		limit, _ := strconv.Atoi(q.Get("limit"))
		list = list[min(offset, len(list)):]
		answer(map[string]any{"tasks": list[:min(limit, len(list))], "totalTasks": len(p.tasks)})
	case strings.HasSuffix(path, "/events"):
		answer(p.events[strings.Split(path, "/")[5]])
	case strings.HasPrefix(path, "/api/scaffolder/v2/tasks/"):
		for _, task := range p.tasks {
			if task["id"] == strings.Split(path, "/")[5] {
				answer(task)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	case path == "/api/tech-insights/checks/run":
		var body struct {
			Entities []struct{ Kind, Namespace, Name string }
			Checks   []string
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			p.t.Error(err)
		}
		var all []any
		for _, e := range body.Entities {
			ref := e.Kind + ":" + e.Namespace + "/" + e.Name
			var results []any
			for _, check := range body.Checks {
				if result, ok := p.results[ref][check]; ok {
					results = append(results, map[string]any{"check": map[string]any{"id": check}, "result": result, "facts": map[string]any{}})
				}
			}
			all = append(all, map[string]any{"entity": ref, "results": results})
		}
		answer(all)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// entity adds one, from kind, name and pairs of a place (spec.owner, annotations.x) and a text.
func (p *portal) entity(kind, name string, pairs ...string) map[string]any {
	annotations, spec, metadata := map[string]any{}, map[string]any{}, map[string]any{"name": name, "uid": fmt.Sprint(len(p.entities))}
	metadata["annotations"] = annotations
	e := map[string]any{"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec, "relations": []any{}}
	for i := 0; i < len(pairs); i += 2 {
		place, value := pairs[i], pairs[i+1]
		switch {
		case strings.HasPrefix(place, "spec."):
			spec[place[5:]] = value
		case strings.HasPrefix(place, "metadata."):
			metadata[place[9:]] = value
		case strings.HasPrefix(place, "relation."):
			e["relations"] = append(e["relations"].([]any), map[string]any{"type": place[9:], "targetRef": value})
		default:
			annotations[place] = value
		}
	}
	p.entities = append(p.entities, e)
	return e
}

func (p *portal) remove(ref string) {
	p.entities = slices.DeleteFunc(p.entities, func(e map[string]any) bool { return refOf(e) == ref })
}

// connect makes a connection, which has no memory.
func (p *portal) connect(change ...func(*rules.Config)) *backstage.Connection {
	p.t.Helper()
	cfg := rules.DefaultConfig()
	for _, c := range change {
		c(&cfg)
	}
	r, err := rules.New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	credential, err := backstage.NewCredential(p.config, p)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := backstage.New(p.config, r, &http.Client{Transport: credential})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// turn gives one turn and returns what it told and where it ended.
func turn(t *testing.T, c *backstage.Connection, stream, position string, asOf time.Time) (facts []event.Event, end string, more bool, err error) {
	t.Helper()
	turn, err := c.Turn(source.Stream{Name: stream, Kind: stream}, position, asOf)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range turn.Events(t.Context()) {
		if err != nil {
			return facts, turn.Position(), false, err
		}
		if wrong := event.Validate(e); wrong != nil {
			t.Errorf("intake would refuse %+v: %v", e, wrong)
		}
		if e.Common().Source != "backstage" || e.Common().UpdatedAt.IsZero() {
			t.Errorf("%+v has no source, or no instant", e)
		}
		facts = append(facts, e)
	}
	return facts, turn.Position(), turn.Report().More, nil
}

// read gives turns until there is nothing more.
func read(t *testing.T, c *backstage.Connection, stream, position string, asOf time.Time) ([]event.Event, string) {
	t.Helper()
	var all []event.Event
	for range 1000 {
		facts, end, more, err := turn(t, c, stream, position, asOf)
		if err != nil {
			t.Fatal(err)
		}
		all, position = append(all, facts...), end
		if !more {
			return all, position
		}
	}
	t.Fatal("there is always more")
	return nil, ""
}

// keyed are facts by a key, the latest telling of each.
func keyed(facts []event.Event) map[string]event.Event {
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
	case *event.Service:
		return "service " + e.ID
	case *event.Team:
		return "team " + e.ID
	case *event.Person:
		return "person " + e.ID
	case *event.Ownership:
		return "ownership " + e.Service + " " + e.Team + " " + stamp(e.From)
	case *event.Membership:
		return "membership " + e.Person + " " + e.Team + " " + stamp(e.From)
	case *event.ProvisioningRequest:
		return "request " + e.ID
	case *event.CapabilityUse:
		return "use " + e.Service + " " + e.Capability + " " + stamp(e.ObservedAt)
	}
	return e.Kind()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "always"
	}
	return t.Format("2006-01-02T15:04:05Z")
}

// only are facts of a kind.
func only[E event.Event](facts []event.Event) []E {
	var some []E
	for _, e := range facts {
		if e, ok := e.(E); ok {
			some = append(some, e)
		}
	}
	return some
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func wantFault(t *testing.T, err error, kind fault.Kind, words string) {
	t.Helper()
	if fault.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the error is %v (%v), want one of %v with %q", err, fault.KindOf(err), kind, words)
	}
}
