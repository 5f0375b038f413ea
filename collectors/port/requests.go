package port

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/turn"
)

// named is a thing by its identifier: a text in the first version of runs, an object in the second.
type named string

// UnmarshalJSON reads either form; what is neither has no name.
func (n *named) UnmarshalJSON(text []byte) error {
	var object struct {
		Identifier string `json:"identifier"`
	}
	if json.Unmarshal(text, (*string)(n)) != nil && json.Unmarshal(text, &object) == nil {
		*n = named(object.Identifier)
	}
	return nil
}

// run is a run of an action.
type run struct {
	ID               string          `json:"id"`
	Action           named           `json:"action"`
	Blueprint        named           `json:"blueprint"`
	Entity           named           `json:"entity"`
	Status           string          `json:"status"`
	Source           json.RawMessage `json:"source"`
	RequiredApproval json.RawMessage `json:"requiredApproval"`
	Approval         json.RawMessage `json:"approval"`
	CreatedBy        string          `json:"createdBy"`
	CreatedAt        string          `json:"createdAt"`
	UpdatedAt        string          `json:"updatedAt"`
	EndedAt          string          `json:"endedAt"`
}

// runList are runs.
type runList struct {
	Runs []json.RawMessage `json:"runs"`
}

// readRun reads a run; a field of another type than it should have is as good as left out.
func readRun(text json.RawMessage) (run, bool) {
	var r run
	if err := json.Unmarshal(text, &r); err != nil {
		if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
			return run{}, false
		}
	}
	return r, r.ID != "" && !instant(r.CreatedAt).IsZero()
}

// automatic says whether a run was begun by an automation, which nobody asked for.
func (r run) automatic() bool {
	var text string
	return json.Unmarshal(r.Source, &text) == nil && text == "AUTOMATION"
}

// approval says whether a person had to approve.
func (r run) approval() bool {
	for _, text := range []json.RawMessage{r.RequiredApproval, r.Approval} {
		if s := string(text); s != "" && s != "null" && s != "false" {
			return true
		}
	}
	return false
}

// changed is when a run changed last.
func (r run) changed() time.Time {
	at := instant(r.CreatedAt)
	for _, text := range []string{r.UpdatedAt, r.EndedAt} {
		if t := instant(text); t.After(at) {
			at = t
		}
	}
	return at
}

// Statuses of runs.
const (
	waiting  = "WAITING_FOR_APPROVAL"
	running  = "IN_PROGRESS"
	success  = "SUCCESS"
	failure  = "FAILURE"
	declined = "DECLINED"
)

// auditEntry is a line of the audit log.
type auditEntry struct {
	Action  string `json:"action"`
	Trigger struct {
		At string `json:"at"`
	} `json:"trigger"`
	Context struct {
		RunID string `json:"runId"`
	} `json:"context"`
	AdditionalData struct {
		RunID string `json:"runId"`
	} `json:"additionalData"`
	Diff struct {
		Before *run `json:"before"`
		After  *run `json:"after"`
	} `json:"diff"`
}

// auditLog is what the audit log answers.
type auditLog struct {
	Audits []json.RawMessage `json:"audits"`
}

// audit asks the audit log. Where the client may not read it, it says nothing.
func (t *Turn) audit(ctx context.Context, q url.Values) ([]auditEntry, error) {
	q.Set("limit", strconv.Itoa(mostRuns))
	var log auditLog
	if err := t.get(ctx, "/v1/audit-log", q, &log); err != nil {
		if kind := fault.KindOf(err); (kind == fault.Denied || kind == fault.NotFound) && !errors.Is(err, errRefused) {
			return nil, nil
		}
		return nil, err
	}
	var all []auditEntry
	for _, text := range log.Audits {
		var e auditEntry
		if err := json.Unmarshal(text, &e); err != nil {
			if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
				continue
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// requestsPosition is which runs were told.
type requestsPosition struct {
	turn.Versioned
	// Shown are the runs that Port shows and that were told, with when they had changed, in milliseconds; Top is the latest of it.
	Shown   map[string]int64   `json:"shown,omitempty"`
	Top     time.Time          `json:"top,omitzero"`
	Audited time.Time          `json:"audited,omitzero"` // up to when the audit log was asked
	Done    int64              `json:"done"`
	Pending []string           `json:"pending,omitempty"` // ids that the audit log names, to be asked for
	Created map[string]created `json:"created,omitempty"` // by blueprint/identifier, what actions made
}

// mostRuns is how many runs, and lines of the audit log, Port shows at most. Runs have no pages.
const mostRuns = 1000

// readRequests tells the runs that changed since the last look, in the order of the changes. When more changed than Port
// shows, the audit log names the others.
func readRequests(ctx context.Context, t *Turn) error {
	p, err := turn.Read[requestsPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	defer func() {
		t.Progress.Done, t.Progress.Total, t.Progress.Complete = p.Done, p.Done+int64(len(p.Pending)), !t.Progress.More
		t.Progress.ReachedBack = t.c.cfg.Since
	}()
	if err := t.pending(ctx, &p); err != nil || t.Progress.More {
		return err
	}
	var list runList
	q := url.Values{"version": {"v2"}, "limit": {strconv.Itoa(mostRuns)}, "exclude": {"payload", "response", "rawProperties", "properties"}}
	if err := t.get(ctx, "/v1/actions/runs", q, &list); err != nil {
		return err
	}
	var runs []run
	now := map[string]int64{}
	for _, text := range list.Runs {
		r, ok := readRun(text)
		if !ok || !t.c.takes(r) {
			continue
		}
		if at := r.changed().UnixMilli(); p.Shown[r.ID] != at {
			runs = append(runs, r)
		} else {
			now[r.ID] = at
		}
	}
	if len(list.Runs) >= mostRuns && !p.Top.IsZero() {
		if err := t.beyond(ctx, &p, list); err != nil {
			return err
		}
	}
	slices.SortFunc(runs, func(a, b run) int { return cmp.Or(a.changed().Compare(b.changed()), cmp.Compare(a.ID, b.ID)) })
	p.Shown = now
	for _, r := range runs {
		if t.Spent() {
			t.Move(&p)
			t.Progress.More = true
			return nil
		}
		asked := t.Requests()
		if err := t.run(ctx, &p, r); err != nil {
			return err
		}
		p.Shown[r.ID] = r.changed().UnixMilli()
		p.Done++
		if at := r.changed(); at.After(p.Top) {
			p.Top = at
		}
		if t.Requests() > asked {
			t.Move(&p)
		}
	}
	t.Move(&p)
	return t.pending(ctx, &p)
}

// beyond takes note of runs that changed since the last look and that Port does not show any more, since there are more
// than it shows: the audit log names them.
func (t *Turn) beyond(ctx context.Context, p *requestsPosition, list runList) error {
	from := p.Top
	if p.Audited.After(from) {
		from = p.Audited
	}
	if !from.Before(t.asOf) {
		return nil
	}
	log, err := t.audit(ctx, url.Values{"resources": {"run"}, "from": {from.Format(time.RFC3339)}, "to": {t.asOf.Format(time.RFC3339)}})
	if err != nil {
		return err
	}
	p.Audited = t.asOf
	shown := map[string]bool{}
	for _, text := range list.Runs {
		if r, ok := readRun(text); ok {
			shown[r.ID] = true
		}
	}
	for _, e := range log {
		if when := instant(e.Trigger.At); !when.IsZero() && when.Before(from) {
			continue
		}
		id := cmp.Or(e.Context.RunID, e.AdditionalData.RunID)
		if e.Diff.After != nil {
			id = cmp.Or(id, e.Diff.After.ID)
		}
		if id != "" && !shown[id] && !slices.Contains(p.Pending, id) {
			p.Pending = append(p.Pending, id)
		}
	}
	t.Move(p)
	return nil
}

// pending tells the runs that the audit log named.
func (t *Turn) pending(ctx context.Context, p *requestsPosition) error {
	for len(p.Pending) > 0 {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		one, err := t.runByID(ctx, p.Pending[0])
		switch {
		case err != nil && fault.KindOf(err) != fault.NotFound:
			return err
		case err == nil:
			if err := t.run(ctx, p, one); err != nil {
				return err
			}
			p.Done++
		}
		p.Pending = p.Pending[1:]
		t.Move(p)
	}
	return nil
}

func (t *Turn) runByID(ctx context.Context, id string) (run, error) {
	var answer struct {
		Run json.RawMessage `json:"run"`
	}
	if err := t.get(ctx, "/v1/actions/runs/"+url.PathEscape(id), url.Values{"version": {"v2"}}, &answer); err != nil {
		return run{}, err
	}
	r, ok := readRun(answer.Run)
	if !ok {
		return run{}, fault.New(fault.NotFound, "%s: Port has no run %s", t.c.cfg.Name, id)
	}
	return r, nil
}

// takes says whether a run is told.
func (c *Connection) takes(r run) bool {
	if r.automatic() || len(c.cfg.Actions) > 0 && !fits(c.cfg.Actions, string(r.Action)) {
		return false
	}
	return !instant(r.CreatedAt).Before(c.cfg.Since)
}

// run tells a run as a request, with when it was approved, which the audit log knows. p takes note of what it made; nil
// where a single run is read again.
func (t *Turn) run(ctx context.Context, p *requestsPosition, r run) error {
	if !t.c.takes(r) {
		return nil
	}
	var approved time.Time
	if r.approval() && r.Status != waiting && r.Status != declined {
		log, err := t.audit(ctx, url.Values{"run_id": {r.ID}, "resources": {"run"}})
		if err != nil {
			return err
		}
		for _, e := range log {
			if at := approvedAt(e.Diff.Before, e.Diff.After); !at.IsZero() && (approved.IsZero() || at.Before(approved)) {
				approved = at
			}
		}
	}
	facts := t.c.requestFacts(r, approved)
	if len(facts) == 0 {
		t.unknown(r)
	}
	if p != nil && r.Status == success && r.Entity != "" && t.c.is(string(r.Blueprint)) == isService && fits(t.c.cfg.Creates, string(r.Action)) {
		key, made := string(r.Blueprint)+"/"+string(r.Entity), created{Template: clip(string(r.Action)), At: instant(r.CreatedAt)}
		if before, ok := p.Created[key]; !ok || made.At.Before(before.At) {
			if p.Created == nil {
				p.Created = map[string]created{}
			}
			p.Created[key] = made
			t.c.remember(maps.Clone(p.Created))
		}
	}
	for _, fact := range facts {
		if err := t.tell(r.changed(), fact); err != nil {
			return err
		}
	}
	return nil
}

// unknown counts a run whose status is none that is known: nothing is told of it until it has another.
func (t *Turn) unknown(r run) {
	t.Applied("left out: a run with a status that is not known", clip(r.ID+": "+r.Status))
}

// approvedAt is when a change of a run was its approval; the zero time when it was none.
func approvedAt(before, after *run) time.Time {
	if before == nil || after == nil || before.Status != waiting || after.Status == waiting || after.Status == declined {
		return time.Time{}
	}
	return instant(after.UpdatedAt)
}

// is says what the entities of a blueprint are.
func (c *Connection) is(blueprint string) string {
	for _, b := range c.cfg.Blueprints {
		if b.Blueprint == blueprint {
			return b.Is
		}
	}
	return ""
}

// requestFacts are a run as a request, and as evidence where it succeeded for a service. None for a status that is not known.
func (c *Connection) requestFacts(r run, approved time.Time) []event.Event {
	fact := &event.ProvisioningRequest{
		ID: clip(r.ID), Requester: clip(r.CreatedBy), ResourceType: clip(cmp.Or(string(r.Blueprint), string(r.Action), "action")), Way: "port_action",
		OnPlatform: !r.approval(), RequestedAt: instant(r.CreatedAt), ApprovedAt: approved,
	}
	if c.is(string(r.Blueprint)) == isService && r.Entity != "" {
		fact.Service = c.serviceID(string(r.Entity), "", "")
	}
	end := instant(r.EndedAt)
	if end.IsZero() {
		end = instant(r.UpdatedAt) // ended by way of the old interface, which says no end
	}
	if end.Before(fact.RequestedAt) {
		end = fact.RequestedAt
	}
	switch r.Status {
	case waiting:
		fact.Status = "requested"
	case running:
		fact.Status = "in_progress"
	case success:
		fact.Status, fact.ReadyAt = "ready", end
	case failure, declined:
		fact.Status, fact.FailedAt = "failed", end
	default:
		return nil
	}
	facts := []event.Event{fact}
	if capability := c.cfg.Capabilities.Actions; capability != "" && fact.Status == "ready" && fact.Service != "" {
		facts = append(facts, &event.CapabilityUse{Service: fact.Service, Capability: capability, ObservedAt: end, State: "golden", Evidence: clip("action " + string(r.Action) + ", run " + r.ID)})
	}
	return facts
}
