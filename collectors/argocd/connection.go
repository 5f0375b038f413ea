package argocd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rest"
	"cairn/internal/source"
	"cairn/internal/turn"
)

// Connection reads the applications. It is used by several goroutines.
type Connection struct {
	t      translator
	client *http.Client
}

// New makes a connection. The client authenticates (Credential), limits and retries. Errors are fault.Invalid.
func New(cfg Config, client *http.Client) (*Connection, error) {
	t, err := newTranslator(cfg)
	if err != nil {
		return nil, err
	}
	return &Connection{t, client}, nil
}

// NewCredential makes the credential of a connection: the token, for requests to its own host alone.
func NewCredential(cfg Config, base http.RoundTripper) (*rest.Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	return rest.Bearer(cfg.Token, at, base), nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.t.cfg.Name }

// stream is the only one: the syncs of all applications.
const stream = "applications"

// Streams lists what there is to read. Without a credential there is nothing.
func (c *Connection) Streams() []source.Stream {
	if !c.t.cfg.Reads() {
		return nil
	}
	return []source.Stream{{Name: stream, Kind: source.Deployments, Every: c.t.cfg.Every}}
}

// Recall takes a position of an earlier life. Streams do not follow from it.
func (c *Connection) Recall(_, text string) error {
	_, err := turn.Read[position](stream, text)
	return err
}

// position is how far the list was read. Argo CD has no pages: the list is read by project, and what of it ended since
// the round before is told, with an overlap, and once in a day all of it.
type position struct {
	turn.Versioned
	Since time.Time `json:"since,omitzero"` // what ended before was told
	Whole time.Time `json:"whole,omitzero"` // beginning of the latest round that told all
	// Of the round under way:
	Projects []string  `json:"projects,omitempty"` // that are still to be read
	Under    bool      `json:"under,omitempty"`    // there is one
	All      time.Time `json:"all,omitzero"`       // its beginning, when it tells all
	Latest   time.Time `json:"latest,omitzero"`    // end of the latest sync that it saw
	Done     int64     `json:"done,omitempty"`
	Total    int64     `json:"total,omitempty"`
}

const (
	// overlap is how far back a round looks behind the latest sync of the round before: applications are compared by
	// several controllers, whose clocks differ, and a sync is healthy later than it ends.
	overlap = 2 * time.Hour
	// daily is how often at least all that Argo CD keeps is told, for applications that the token may see only now.
	daily = 24 * time.Hour
)

// Turn reads the applications for a while.
type Turn struct {
	turn.Turn
	c    *Connection
	asOf time.Time
}

// Turn makes the source of one turn.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	if s.Name != stream {
		return nil, fault.New(fault.Invalid, "%s: %s has no such list", s.Name, c.Name())
	}
	return c.turn(position, asOf.UTC().Truncate(time.Second), readRound), nil
}

// Refresh makes a source that tells one application again: the wake's subject is its name, or namespace/name.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	if w.Stream != stream || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.Name())
	}
	namespace, name, both := strings.Cut(w.Subject, "/")
	if !both {
		namespace, name = "", w.Subject
	}
	return c.turn("", asOf, func(ctx context.Context, t *Turn) error {
		var a Application
		query := url.Values{}
		if namespace != "" {
			query.Set("appNamespace", namespace)
		}
		if err := t.get(ctx, "/api/v1/applications/"+url.PathEscape(name), query, &a); err != nil {
			return err
		}
		_, err := t.tell(&a, time.Time{})
		return err
	}), nil
}

func (c *Connection) turn(position string, asOf time.Time, read func(context.Context, *Turn) error) *Turn {
	t := &Turn{c: c, asOf: asOf}
	t.Turn = turn.New(stream, position, func(ctx context.Context) error { return read(ctx, t) })
	return t
}

// readRound goes on with a round over the projects, or begins one.
func readRound(ctx context.Context, t *Turn) error {
	p, err := turn.Read[position](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if !p.Under {
		p.Under, p.All, p.Latest, p.Done = true, time.Time{}, p.Since, 0
		if p.Whole.IsZero() || !t.asOf.Before(p.Whole.Add(daily)) || t.asOf.Before(p.Whole) {
			p.All = t.asOf
		}
		if p.Projects, err = t.projects(ctx); err != nil {
			return err
		}
		p.Total = int64(len(p.Projects))
	}
	since := time.Time{}
	if p.All.IsZero() && !p.Since.IsZero() {
		since = p.Since.Add(-overlap)
	}
	for len(p.Projects) > 0 {
		if t.Spent() {
			t.Progress.More = true
			break
		}
		latest, err := t.project(ctx, p.Projects[0], since)
		if err != nil {
			return err
		}
		if latest.After(p.Latest) {
			p.Latest = latest
		}
		p.Projects, p.Done = p.Projects[1:], p.Done+1
		if len(p.Projects) == 0 {
			p.Under, p.Since = false, p.Latest
			if !p.All.IsZero() {
				p.Whole = p.All
			}
		}
		t.Move(&p)
	}
	if p.Under && p.Total == 0 { // there is no application at all
		p.Under, p.Whole = false, t.asOf
		t.Move(&p)
	}
	t.Progress.Done, t.Progress.Total = p.Done, p.Total
	// Argo CD keeps the latest syncs of each application alone: there is no history beyond the first round.
	t.Progress.Complete = !p.Whole.IsZero()
	return nil
}

// projects are those that are read: those of the settings, or those that have an application.
func (t *Turn) projects(ctx context.Context) ([]string, error) {
	if len(t.c.t.cfg.Projects) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(t.c.t.cfg.Projects))), nil
	}
	var list struct {
		Items []struct{ Spec struct{ Project string } }
	}
	if err := t.get(ctx, "/api/v1/applications", t.c.query("", "items.spec.project"), &list); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var projects []string
	for _, item := range list.Items {
		name := cmp.Or(item.Spec.Project, "default")
		if !seen[name] {
			seen[name] = true
			projects = append(projects, name)
		}
	}
	slices.Sort(projects)
	return projects, nil
}

// fields are those of an application that count here: it is tens of kilobytes altogether.
var fields = []string{
	"items.metadata.name", "items.metadata.namespace", "items.metadata.uid", "items.metadata.labels", "items.metadata.annotations",
	"items.spec.project", "items.spec.destination", "items.spec.source", "items.spec.sources",
	"items.status.operationState.phase", "items.status.operationState.startedAt", "items.status.operationState.finishedAt",
	"items.status.operationState.operation", "items.status.operationState.syncResult.revision", "items.status.operationState.syncResult.revisions",
	"items.status.operationState.syncResult.source", "items.status.operationState.syncResult.sources",
	"items.status.history", "items.status.health.status", "items.status.summary.images", "items.status.reconciledAt",
}

// query asks for fields of the applications of a project; "" is all. It never asks Argo CD to refresh: that changes the
// application and waits for its controller.
func (c *Connection) query(project string, fields ...string) url.Values {
	q := url.Values{"fields": {strings.Join(fields, ",")}}
	if project != "" {
		q.Set("projects", project)
		q.Set("project", project) // of older releases
	}
	if c.t.cfg.Selector != "" {
		q.Set("selector", c.t.cfg.Selector)
	}
	return q
}

// project tells the applications of a project: what ended since. It returns the end of the latest sync.
func (t *Turn) project(ctx context.Context, name string, since time.Time) (latest time.Time, err error) {
	var list struct{ Items []Application }
	if err := t.get(ctx, "/api/v1/applications", t.c.query(name, fields...), &list); err != nil {
		return latest, err
	}
	for i := range list.Items {
		a := &list.Items[i]
		if a.Spec.Project != "" && a.Spec.Project != name {
			continue // a release that knows neither parameter answers with all
		}
		end, err := t.tell(a, since)
		if err != nil {
			return latest, err
		}
		if end.After(latest) {
			latest = end
		}
	}
	return latest, nil
}

// tell yields what an application tells of what ended since. One whose status cannot be understood does not stop the
// others: it is counted, with its name.
func (t *Turn) tell(a *Application, since time.Time) (latest time.Time, err error) {
	facts, _, err := t.c.t.tell(a)
	if err != nil {
		t.Applied("an application whose status cannot be understood", a.Metadata.Namespace+"/"+a.Metadata.Name+": "+err.Error())
		return latest, nil
	}
	for _, fact := range facts {
		d := fact.(*event.Deployment)
		d.Source = t.c.Name()
		if d.FinishedAt.After(latest) && !d.FinishedAt.After(t.asOf) {
			latest = d.FinishedAt
		}
		if d.FinishedAt.Before(since) {
			continue
		}
		if wrong := event.Validate(d); wrong != nil {
			t.Applied("an application whose status cannot be understood", a.Metadata.Namespace+"/"+a.Metadata.Name+": "+wrong.Error())
			continue
		}
		if err := t.Yield(d); err != nil {
			return latest, err
		}
	}
	return latest, nil
}

// get asks for something and counts it.
func (t *Turn) get(ctx context.Context, path string, query url.Values, into any) error {
	t.Asked()
	return t.c.get(ctx, path, query, into)
}

// get asks for something. Errors are faults.
func (c *Connection) get(ctx context.Context, path string, query url.Values, into any) error {
	address := c.t.cfg.address(path)
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s: asking Argo CD for %s", c.Name(), path)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "cairn")
	response, err := c.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fault.Wrap(cmp.Or(fault.KindOf(err), fault.Unavailable), err, "%s: asking Argo CD for %s", c.Name(), path)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return c.refusal(response, path)
	}
	if kind := response.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") {
		return fault.New(fault.Denied, "%s: what answers at %s is a page, not Argo CD's API: check url, and whether something before it asks to sign in", c.Name(), c.t.cfg.URL)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return fault.Wrap(fault.Internal, err, "%s: what Argo CD answered to %s has another form than it had", c.Name(), path)
		}
		return fault.Replace(fault.Unavailable, err, "%s: the answer of Argo CD to %s was cut off", c.Name(), path)
	}
	return nil
}

// refusal says what an answer other than 200 means.
func (c *Connection) refusal(response *http.Response, path string) error {
	var told struct{ Message, Error string }
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	_ = json.Unmarshal(text, &told)
	words := cmp.Or(told.Message, told.Error, http.StatusText(response.StatusCode))
	if len(words) > 200 {
		words = words[:200]
	}
	words = strings.ToValidUTF8(words, "")
	one := strings.HasPrefix(path, "/api/v1/applications/")
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized:
		return fault.New(fault.Denied, "%s: Argo CD refuses the token: it has ended, was revoked, or is mistyped; make a new one and put it in its place (%s)", c.Name(), words)
	case status == http.StatusForbidden && one:
		// That is how it says that there is none, so that nobody can find out what there is.
		return fault.New(fault.NotFound, "%s: there is no application %s, or the token may not read it (%s)", c.Name(), strings.TrimPrefix(path, "/api/v1/applications/"), words)
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s: the token may not read applications: give its account applications, get in Argo CD's policy (%s)", c.Name(), words)
	case status == http.StatusNotFound && one:
		return fault.New(fault.NotFound, "%s: there is no application %s", c.Name(), strings.TrimPrefix(path, "/api/v1/applications/"))
	case status == http.StatusNotFound:
		return fault.New(fault.NotFound, "%s: %s is not there: check url", c.Name(), path)
	case status == http.StatusTooManyRequests || status >= 500:
		return fault.New(fault.Unavailable, "%s: Argo CD answered %s with %d: it may work later (%s)", c.Name(), path, status, words)
	default:
		return fault.New(fault.Internal, "%s: Argo CD answered %s with %d (%s)", c.Name(), path, status, words)
	}
}

// Check asks who the token is and which applications it may read, in two requests.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.t.cfg.Reads() {
		a.Notes = append(a.Notes, "No token is given: only webhooks are heard.")
		return a, nil
	}
	var who struct {
		LoggedIn bool
		Username string
	}
	if err := c.get(ctx, "/api/v1/session/userinfo", nil, &who); err != nil {
		return a, err
	}
	if !who.LoggedIn {
		return a, fault.New(fault.Denied, "%s: Argo CD does not know the token: it has ended, was revoked, or is mistyped; make a new one and put it in its place", c.Name())
	}
	a.Who = who.Username
	var list struct{ Items []Application }
	if err := c.get(ctx, "/api/v1/applications", c.query("", "items.metadata.name", "items.metadata.namespace", "items.spec.project"), &list); err != nil {
		return a, err
	}
	a.Listed = len(list.Items)
	projects := map[string]bool{}
	for _, app := range list.Items {
		if wanted := c.t.cfg.Projects; len(wanted) > 0 && !has(wanted, app.Spec.Project) {
			continue
		}
		projects[app.Spec.Project] = true
		if a.Repositories++; len(a.Examples) < 5 {
			a.Examples = append(a.Examples, app.Metadata.Namespace+"/"+app.Metadata.Name)
		}
	}
	a.Things = []source.Thing{{Kind: source.Deployments, What: "the applications"}}
	if a.Repositories == 0 {
		a.Notes = append(a.Notes, "No application that is shown to the token matches: see projects and selector, and give its account applications, get in Argo CD's policy.")
	}
	a.Requests = int64(len(projects)) + 1
	return a, nil
}
