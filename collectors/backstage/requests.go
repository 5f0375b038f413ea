package backstage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/owners"
	"cairn/internal/turn"
)

// task is a run of a template.
type task struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Spec   struct {
		Steps []struct {
			Action string `json:"action"`
		} `json:"steps"`
		Parameters map[string]json.RawMessage `json:"parameters"`
		User       struct {
			Ref    string `json:"ref"`
			Entity struct {
				Spec struct {
					MemberOf []string `json:"memberOf"`
				} `json:"spec"`
			} `json:"entity"`
		} `json:"user"`
		TemplateInfo struct {
			EntityRef string `json:"entityRef"`
		} `json:"templateInfo"`
	} `json:"spec"`
	CreatedAt       string `json:"createdAt"`
	LastHeartbeatAt string `json:"lastHeartbeatAt"`
	CreatedBy       string `json:"createdBy"`
}

// taskList is a page of tasks.
type taskList struct {
	Tasks      []json.RawMessage `json:"tasks"`
	TotalTasks int               `json:"totalTasks"`
}

func (l taskList) read() []task {
	var all []task
	for _, text := range l.Tasks {
		var t task
		if err := json.Unmarshal(text, &t); err != nil {
			if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
				continue
			}
		}
		if t.ID != "" && !instant(t.CreatedAt).IsZero() {
			all = append(all, t)
		}
	}
	return all
}

// taskEvent is a line in the story of a task.
type taskEvent struct {
	ID   int64 `json:"id"`
	Body struct {
		Output json.RawMessage `json:"output"`
	} `json:"body"`
	Type      string `json:"type"`
	CreatedAt string `json:"createdAt"`
}

// readEvents reads the story of a task. A field of another type than it should have is as good as left out.
func readEvents(texts []json.RawMessage) []taskEvent {
	var all []taskEvent
	for _, text := range texts {
		var e taskEvent
		if err := json.Unmarshal(text, &e); err != nil {
			if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
				continue
			}
		}
		all = append(all, e)
	}
	return all
}

// newestFirst is the order of tasks.
const newestFirst = "desc:created_at"

// requestsPosition is how far the runs of templates have been read: what is newer than Back, or as old and among Tied, is
// told. Instants have whole seconds.
type requestsPosition struct {
	turn.Versioned
	Back     time.Time `json:"back,omitzero"`
	Tied     []string  `json:"tied,omitempty"`
	Older    int       `json:"older"` // tasks that are older than those that are told
	Complete bool      `json:"complete,omitempty"`
	Done     int64     `json:"done"`
	// Recent is how the newest tasks stood when they were told, by id. Open are those that go on, by when they were looked at last, in seconds.
	Recent map[string]string `json:"recent,omitempty"`
	Open   map[string]int64  `json:"open,omitempty"`

	// Created is what templates made, by reference.
	Created map[string]created `json:"created,omitempty"`
}

const (
	newsPage    = 50 // tasks whose state is remembered
	historyPage = 20 // each takes a request for its events
	maxOpen     = 200
)

// readRequests tells runs of templates: those that are new or stand otherwise than before, those that went on, and then
// earlier ones, newest first.
func readRequests(ctx context.Context, t *Turn) error {
	p, err := turn.Read[requestsPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	defer func() {
		t.Progress.Done, t.Progress.Total, t.Progress.Complete = p.Done, max(p.Done+int64(p.Older), p.Done), p.Complete
		if t.Progress.ReachedBack = p.Back; p.Complete {
			t.Progress.ReachedBack, t.Progress.Total = t.c.cfg.Since, p.Done
		}
	}()
	total, done, err := t.newTasks(ctx, &p)
	if err != nil && fault.KindOf(err) == fault.NotFound && t.Position() == "" {
		p.Complete = true // a Backstage without templates
		return nil
	}
	if err != nil || !done {
		t.Progress.More = err == nil
		return err
	}
	if done, err = t.openTasks(ctx, &p); err != nil || !done {
		t.Progress.More = err == nil
		return err
	}
	return t.earlierTasks(ctx, &p, total)
}

// tasks asks for a page.
func (t *Turn) tasks(ctx context.Context, offset, limit int) ([]task, int, error) {
	var list taskList
	err := t.get(ctx, "/api/scaffolder/v2/tasks", url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}, "order": {newestFirst}}, &list)
	return list.read(), max(list.TotalTasks, offset+len(list.Tasks)), err
}

// newTasks tells what is new, oldest first. A task that failed may be tried again, so those that are remembered are told
// when they stand otherwise than they did.
func (t *Turn) newTasks(ctx context.Context, p *requestsPosition) (total int, done bool, err error) {
	var news []task
	now := map[string]string{}
	first := p.Back.IsZero()
	for offset := 0; ; offset += newsPage {
		var some []task
		if some, total, err = t.tasks(ctx, offset, newsPage); err != nil {
			return 0, false, err
		}
		known := false
		for _, task := range some {
			before, was := p.Recent[task.ID]
			at := instant(task.CreatedAt)
			known = known || was || at.Before(t.c.cfg.Since) || !p.Complete && at.Before(p.Back)
			if offset == 0 {
				now[task.ID] = task.Status
			}
			if !was || before != task.Status {
				news = append(news, task)
			}
		}
		if first || known || len(some) < newsPage {
			break
		}
	}
	if first {
		// The history begins here.
		if len(news) > 0 {
			p.Back, p.Older = instant(news[0].CreatedAt).Add(time.Second), total
		} else {
			p.Complete = true
		}
		p.Recent = map[string]string{}
		t.Move(p)
		return total, true, nil
	}
	slices.Reverse(news)
	for _, task := range news {
		// Those that are not told yet belong to the history.
		at := instant(task.CreatedAt)
		if !p.Complete && (at.Before(p.Back) || at.Equal(p.Back) && !slices.Contains(p.Tied, task.ID)) {
			delete(now, task.ID)
			continue
		}
		if _, was := p.Recent[task.ID]; !was && at.Before(t.c.cfg.Since) {
			continue
		}
		if t.Spent() {
			return total, false, nil
		}
		if err := t.task(ctx, p, task); err != nil {
			return total, false, err
		}
		if _, was := p.Recent[task.ID]; !was {
			p.Done++
		}
		p.remember(task)
		t.Move(p)
	}
	maps.DeleteFunc(p.Recent, func(id, _ string) bool { _, is := now[id]; return !is })
	t.Move(p)
	return total, true, nil
}

// remember takes note of how a task stood.
func (p *requestsPosition) remember(task task) {
	if p.Recent == nil {
		p.Recent = map[string]string{}
	}
	p.Recent[task.ID] = task.Status
}

// openTasks looks at those that went on when they were told, and are not among the newest.
func (t *Turn) openTasks(ctx context.Context, p *requestsPosition) (done bool, err error) {
	ids := slices.SortedFunc(maps.Keys(p.Open), func(a, b string) int { return cmp.Or(cmp.Compare(p.Open[a], p.Open[b]), strings.Compare(a, b)) })
	for _, id := range ids {
		if _, newest := p.Recent[id]; newest || t.asOf.Unix()-p.Open[id] < 60 {
			continue
		}
		if t.Requests() >= t.Share/2 {
			break // the others wait for the next turn; history goes on
		}
		var one task
		err := t.get(ctx, "/api/scaffolder/v2/tasks/"+url.PathEscape(id), nil, &one)
		switch {
		case err != nil && fault.KindOf(err) == fault.NotFound:
			delete(p.Open, id)
		case err != nil:
			return false, err
		default:
			if err := t.task(ctx, p, one); err != nil {
				return false, err
			}
		}
		t.Move(p)
	}
	return true, nil
}

// earlierTasks tells the history, newest first. Tasks are added at the top, so a page is found by how many are older.
func (t *Turn) earlierTasks(ctx context.Context, p *requestsPosition, total int) error {
	for !p.Complete {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		offset := max(total-p.Older-len(p.Tied)-1, 0)
		limit := historyPage + len(p.Tied)
		some, now, err := t.tasks(ctx, offset, limit)
		if err != nil {
			return err
		}
		total = now
		for i, task := range some {
			at := instant(task.CreatedAt)
			if at.After(p.Back) || at.Equal(p.Back) && slices.Contains(p.Tied, task.ID) {
				continue
			}
			if at.Before(t.c.cfg.Since) {
				p.Complete = true
				break
			}
			if t.Spent() {
				t.Progress.More = true
				return nil
			}
			if err := t.task(ctx, p, task); err != nil {
				return err
			}
			if !at.Equal(p.Back) {
				p.Back, p.Tied = at, nil
			}
			p.Tied = append(p.Tied, task.ID)
			p.Done++
			if p.Older = max(total-offset-i-1, 0); offset+i < newsPage {
				p.remember(task)
			}
			t.Move(p)
		}
		if offset+len(some) >= total || len(some) > limit { // which ignores what was asked for, and shows all
			p.Complete = true
		}
		p.Older = min(p.Older, max(total-offset-len(some), 0))
		if p.Complete {
			p.Tied, p.Older = nil, 0
		}
		t.Move(p)
	}
	return nil
}

// task tells a run of a template as a request. When it ended is told by its last event: the task itself only says when its
// worker gave the last sign of life.
func (t *Turn) task(ctx context.Context, p *requestsPosition, task task) error {
	asked := instant(task.CreatedAt)
	if asked.IsZero() || task.ID == "" {
		return nil
	}
	kind, template := owners.Short(task.Spec.TemplateInfo.EntityRef)
	if template == "" || kind != "" && kind != "template" {
		template = "template"
	}
	fact := &event.ProvisioningRequest{
		ID: task.ID, Requester: t.requester(task), Team: t.asking(task), ResourceType: clip(template), Way: "backstage_template", OnPlatform: true,
		RequestedAt: asked, Status: "requested", URL: t.c.app + "/create/tasks/" + url.PathEscape(task.ID),
	}
	alive := instant(task.LastHeartbeatAt)
	changed := asked
	if alive.After(changed) {
		changed = alive
	}
	var end time.Time
	var made []string
	switch task.Status {
	case "open":
	case "processing":
		fact.Status = "in_progress"
	case "completed", "failed", "cancelled", "skipped":
		var events []json.RawMessage
		err := t.get(ctx, "/api/scaffolder/v2/tasks/"+url.PathEscape(task.ID)+"/events", nil, &events)
		if kind := fault.KindOf(err); err != nil && kind != fault.NotFound && kind != fault.Denied {
			return err
		}
		var latest int64
		for _, e := range readEvents(events) {
			if e.Type != "completion" && !(e.Type == "cancelled" && task.Status == "cancelled") || e.ID < latest {
				continue
			}
			if at := instant(e.CreatedAt); !at.IsZero() {
				latest, end = e.ID, at
				if made = components(e.Body.Output); task.Status != "completed" {
					made = nil
				}
			}
		}
		if end.IsZero() {
			end = changed // the last sign of life
		}
		if end.Before(asked) {
			end = asked // clocks of two machines
		}
		if end.After(changed) {
			changed = end
		}
		switch task.Status {
		case "completed":
			fact.Status, fact.ReadyAt = "ready", end
		case "failed":
			fact.Status, fact.FailedAt = "failed", end
		default: // cancelled, skipped: taken back by who asked
			fact.Status, fact.DeletedAt = "deleted", end
		}
	default:
		delete(p.Open, task.ID)
		t.unknown(task)
		return nil
	}
	if fact.Status == "requested" || fact.Status == "in_progress" {
		if p.Open == nil {
			p.Open = map[string]int64{}
		}
		if len(p.Open) < maxOpen {
			p.Open[task.ID] = t.asOf.Unix()
		}
	} else {
		delete(p.Open, task.ID)
	}
	if len(made) > 0 {
		fact.Service = t.c.serviceOf(made[0])
	}
	if err := t.tell(changed, fact); err != nil {
		return err
	}
	if fact.Status != "ready" {
		return nil
	}
	if task.registers() {
		for _, name := range made {
			ref := refOf("component", name)
			if before, ok := p.Created[ref]; ok && !asked.Before(before.At) {
				continue
			}
			if p.Created == nil {
				p.Created = map[string]created{}
			}
			p.Created[ref] = created{Template: clip(task.Spec.TemplateInfo.EntityRef), At: asked}
		}
		t.c.rememberCreated(p.Created)
	}
	if capability := t.c.cfg.Capabilities.Templates; capability != "" {
		for _, name := range made {
			use := &event.CapabilityUse{Service: t.c.serviceOf(name), Capability: capability, ObservedAt: end, State: "golden", Evidence: clip(task.Spec.TemplateInfo.EntityRef + ", task " + task.ID)}
			if err := t.tell(changed, use); err != nil {
				return err
			}
		}
	}
	return nil
}

// unknown counts a run whose status is none that is known: nothing is told of it until it has another.
func (t *Turn) unknown(task task) {
	t.Applied("left out: a run with a status that is not known", clip(task.ID+": "+task.Status))
}

// registers says whether a task put something into the catalogue, as those do that make something new; others change what
// is there.
func (t task) registers() bool {
	for _, step := range t.Spec.Steps {
		if step.Action == "catalog:register" || step.Action == "catalog:write" {
			return true
		}
	}
	return false
}

// components are the names of the components that the output of a template refers to.
func components(output json.RawMessage) []string {
	var o struct {
		EntityRef string `json:"entityRef"`
		Links     []struct {
			EntityRef string `json:"entityRef"`
		} `json:"links"`
	}
	if len(output) == 0 {
		return nil
	}
	if err := json.Unmarshal(output, &o); err != nil {
		if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
			return nil
		}
	}
	refs := []string{o.EntityRef}
	for _, link := range o.Links {
		refs = append(refs, link.EntityRef)
	}
	var names []string
	for _, ref := range refs {
		if kind, name := owners.Short(ref); kind == "component" && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// serviceOf is the id of the service that a component is, by its short name.
func (c *Connection) serviceOf(name string) string {
	if id, ok := c.id(refOf("component", name)); ok && id != "" {
		return id
	}
	if is, fits := c.services.Of(name, refOf("component", name)); fits {
		return is
	}
	return name
}

// requester is who asked; nobody is known when a service did.
func (t *Turn) requester(task task) string {
	for _, ref := range []string{task.CreatedBy, task.Spec.User.Ref} {
		if kind, name := owners.Short(ref); name != "" && (kind == "user" || kind == "") {
			return clip(name)
		}
	}
	return ""
}

// asking is the team for which something was asked: the group that was chosen as the owner, else the only one that the
// person is in.
func (t *Turn) asking(task task) string {
	var chosen string
	if json.Unmarshal(task.Spec.Parameters["owner"], &chosen) == nil {
		if name, ok := owners.Group(chosen); ok {
			return clip(t.c.team(name))
		}
	}
	if in := task.Spec.User.Entity.Spec.MemberOf; len(in) == 1 {
		if name, ok := owners.Group(in[0]); ok {
			return clip(t.c.team(name))
		}
	}
	return ""
}
