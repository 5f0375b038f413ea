package metrics

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// SourceRecord is one system that facts come from: how far its lists are read, and what its webhooks brought.
type SourceRecord struct {
	Name     string           `json:"name"`
	System   string           `json:"system"`           // kind of system: github; "" for one that is only known by its webhooks
	Subjects int64            `json:"subjects"`         // repositories and the like
	Failing  int64            `json:"subjects_failing"` // repositories and the like of which a stream cannot be read
	Streams  int64            `json:"streams"`          // lists that are read one by one; 0 where only webhooks are heard
	Outcomes map[string]int64 `json:"outcomes"`         // streams by the outcome of their latest turn
	Facts    int64            `json:"facts"`            // told by all streams; a fact that was told again counts again
	Requests int64            `json:"requests"`         // made for all streams

	SucceededAt   *time.Time `json:"succeeded_at"`    // latest turn of any stream that ended without an error; null: never
	NewsUpTo      *time.Time `json:"news_up_to"`      // the news of every stream that is not gone or denied are told up to here; null while one of them was never read
	HistoryBackTo *time.Time `json:"history_back_to"` // the history of every stream is told down to here; null when all of it is told, or of some stream nothing

	Complete         bool   `json:"complete"`          // nothing is left of the history of any stream that is not gone or denied
	StreamsComplete  int64  `json:"streams_complete"`  // streams that are not gone or denied and whose history is told whole
	StreamsUncounted int64  `json:"streams_uncounted"` // streams with history left of which nobody knows how much
	Done             int64  `json:"done"`              // what is told of the history, in pieces such as pages, of streams that know how many there are
	Total            *int64 `json:"total"`             // how many pieces there are; null when no stream knows
	SecondsLeft      *int64 `json:"seconds_left"`      // estimate for the rest of the history that is counted, at the speed of all streams together since the first unfinished one began; null when nobody can say

	Error            string             `json:"error"`             // of the stream that failed last; "" when none fails
	Problems         []SourceProblem    `json:"problems"`          // why streams cannot be read, the latest first, at most 50
	Budgets          []SourceBudget     `json:"budgets"`           // of the credential
	Deliveries       []SourceDeliveries `json:"deliveries"`        // webhooks of the last seven days, at most 500 kinds
	DeliveriesLatest *time.Time         `json:"deliveries_latest"` // when the latest webhook of any kind came; null: none ever did
}

// SourceProblem is why streams cannot be read. Errors are alike when they differ in nothing but the name of what they are
// about, which is then "…".
type SourceProblem struct {
	Outcome  string     `json:"outcome"`
	Error    string     `json:"error"`
	Streams  int64      `json:"streams"`  // that fail alike
	Examples []string   `json:"examples"` // names of such streams, at most 20
	Latest   time.Time  `json:"latest"`   // when one of them failed last
	NextAt   *time.Time `json:"next_at"`  // when the first of them is tried again
}

// SourceBudget is what is left of a credential's allowance of requests.
type SourceBudget struct {
	Resource  string     `json:"resource"` // part of the allowance, such as core or graphql; "" where there is one
	Limit     int64      `json:"limit"`
	Remaining int64      `json:"remaining"`
	ResetAt   *time.Time `json:"reset_at"` // when all of it is there again; null when the system does not say
	AsOf      time.Time  `json:"as_of"`    // when the system said so
}

// SourceDeliveries counts webhooks of one kind with one outcome.
type SourceDeliveries struct {
	Event   string    `json:"event"`   // the sender's name of what happened
	Outcome string    `json:"outcome"` // told facts, woken a stream, ignored, unreadable, refused or duplicate
	Reason  string    `json:"reason"`
	N       int64     `json:"n"`
	Latest  time.Time `json:"latest"`
}

// SourceList is every source, by name.
type SourceList struct {
	AsOf    time.Time      `json:"as_of"`
	Sources []SourceRecord `json:"sources"` // that are read or heard
	Tellers []SourceTeller `json:"tellers"` // whose facts are kept, by name
}

// StreamRecord is one list of a source and how far it is read.
type StreamRecord struct {
	Name    string `json:"name"`
	Subject string `json:"subject"` // the repository or the like; "" for lists of the whole source
	Kind    string `json:"kind"`
	Outcome string `json:"outcome"` // of the latest turn: fresh, behind (history is left), limited, denied, gone or failed
	Error   string `json:"error"`   // a sentence; "" when there is none

	StartedAt   *time.Time `json:"started_at"`   // beginning of the first turn
	AttemptedAt time.Time  `json:"attempted_at"` // end of the latest turn
	SucceededAt *time.Time `json:"succeeded_at"` // end of the latest turn without an error; null: never
	NextAt      *time.Time `json:"next_at"`      // when the next turn is due

	Facts       int64      `json:"facts"`        // told by all turns; a fact that was told again counts again
	Requests    int64      `json:"requests"`     // made by all turns
	Done        int64      `json:"done"`         // what is told of the history, in pieces such as pages
	Total       *int64     `json:"total"`        // how many pieces there are; null when nobody knows
	ReachedBack *time.Time `json:"reached_back"` // history is told down to here; null when nothing of it is, or the stream has none
	Complete    bool       `json:"complete"`     // there is no history before
	SecondsLeft *int64     `json:"seconds_left"` // estimate for the rest of the history, at the stream's own speed since it began; null when nobody can say

	Rules []StreamRule `json:"rules"` // that were applied to what it lists, the most used first
}

// StreamRule is how often a rule was applied; what no rule fits is counted like a rule.
type StreamRule struct {
	Rule    string `json:"rule"`
	N       int64  `json:"n"`
	Example string `json:"example"` // what it was applied to last
}

// StreamFilter says which streams to list; what is empty does not matter.
type StreamFilter struct {
	Outcome  string
	Subject  string
	Kind     string
	Problems bool // only those that cannot be read: denied, gone or failed
}

// StreamList is a source with a page of its streams, by name.
type StreamList struct {
	AsOf    time.Time      `json:"as_of"`
	Source  SourceRecord   `json:"source"`
	Streams []StreamRecord `json:"streams"`
	Fit     int64          `json:"fit"`  // streams that fit the filter, on all pages
	Next    string         `json:"next"` // cursor of the next page; "" when this is the last
}

// SubjectFilter says which repositories and the like of a source to list; what is empty does not matter.
type SubjectFilter struct {
	Search   string // part of the name, in any case
	Problems bool   // only those with a stream that cannot be read
}

// SubjectRecord is one repository or the like with its streams.
type SubjectRecord struct {
	Subject string
	Streams []StreamRecord
}

// SubjectList is a page of the repositories and the like of a source, by name.
type SubjectList struct {
	Own      []StreamRecord // of the whole source, about no repository; whatever the filter says
	Subjects []SubjectRecord
	Fit      int64  // that fit the filter, on all pages
	Next     string // cursor of the next page; "" when this is the last
}

// SourceLag says how the lists of one kind of a source are read.
type SourceLag struct {
	Source   string
	Kind     string
	Outcomes map[string]int64 // lists by the outcome of their latest turn
	ReadAt   *time.Time       // when the list that was read longest ago was last read without an error, or first tried where it never was; nil: all of them are gone or denied
}

// SourceFreshness says when a source was last read or heard.
type SourceFreshness struct {
	Name    string
	Latest  *time.Time // nil: never
	Failing int64      // streams that cannot be read
}

// StreamOutcomes are the outcomes that the latest turn of a stream can have.
func StreamOutcomes() []string {
	return []string{"fresh", "behind", "limited", "denied", "gone", "failed"}
}

// StreamKinds are what streams can list, in the order in which they are told of.
func StreamKinds() []string {
	return []string{"repositories", "teams", "commits", "changes", "runs", "deployments", "releases", "incidents", "ownership", "catalogue", "definitions", "workspaces", "requests", "checks"}
}

// IsProblem says whether an outcome means that a stream cannot be read.
func IsProblem(outcome string) bool {
	return outcome == "denied" || outcome == "gone" || outcome == "failed"
}

// Sources lists every system that facts come from: those that are read, and those that are only heard. It does not wait for
// attribution.
func (e *Engine) Sources(ctx context.Context) (SourceList, error) {
	now := e.now().UTC().Truncate(time.Millisecond)
	list, err := e.findSources(ctx, "", now)
	if err != nil {
		return SourceList{}, listed("Sources", err)
	}
	tellers, err := e.tellers(ctx)
	return SourceList{AsOf: now, Sources: list, Tellers: tellers}, listed("Sources", err)
}

// SourceLags says for each kind of list of each source how far behind it is, by name and kind. It does not wait for
// attribution.
func (e *Engine) SourceLags(ctx context.Context) ([]SourceLag, error) {
	var rows []struct {
		Source   string           `ch:"name"`
		Kind     string           `ch:"of_kind"`
		Outcomes map[string]int64 `ch:"outcomes"`
		ReadAt   *time.Time       `ch:"read_at"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_lags"), store.Params{}); err != nil {
		return nil, listed("SourceLags", err)
	}
	list := make([]SourceLag, len(rows))
	for i, r := range rows {
		list[i] = SourceLag{Source: r.Source, Kind: r.Kind, Outcomes: r.Outcomes, ReadAt: utc(r.ReadAt)}
	}
	return list, nil
}

// Source gives one source with a page of its streams. Errors are fault.Invalid for what makes no sense and fault.NotFound
// for an unknown source.
func (e *Engine) Source(ctx context.Context, name string, f StreamFilter, p Paging) (StreamList, error) {
	list, err := e.findSource(ctx, name, f, p)
	return list, listed("Source", err)
}

func (e *Engine) findSource(ctx context.Context, name string, f StreamFilter, p Paging) (StreamList, error) {
	if all := StreamOutcomes(); f.Outcome != "" && !slices.Contains(all, f.Outcome) {
		return StreamList{}, fault.New(fault.Invalid, "outcome is %q: expected one of %s", f.Outcome, strings.Join(all, ", "))
	}
	if all := StreamKinds(); f.Kind != "" && !slices.Contains(all, f.Kind) {
		return StreamList{}, fault.New(fault.Invalid, "kind is %q: expected one of %s", f.Kind, strings.Join(all, ", "))
	}
	limit, err := p.limit()
	if err != nil {
		return StreamList{}, err
	}
	after, err := p.after("streams", 1)
	if err != nil {
		return StreamList{}, err
	}
	now := e.now().UTC().Truncate(time.Millisecond)
	source, err := e.oneSource(ctx, name, now)
	if err != nil {
		return StreamList{}, err
	}
	v := store.Params{
		"source": name, "outcome": f.Outcome, "kind": f.Kind, "any_subject": f.Subject == "", "subjects": []string{f.Subject}, "problems": f.Problems,
		"first": after == nil, "after": "", "limit": limit + 1,
	}
	if after != nil {
		v["after"] = after[0]
	}
	streams, fit, err := e.streams(ctx, v, now)
	if err != nil {
		return StreamList{}, err
	}
	list := StreamList{AsOf: now, Source: source, Fit: fit}
	list.Streams, list.Next = page(streams, limit, func(s StreamRecord) string { return cursor("streams", s.Name) })
	return list, nil
}

// SourceSubjects lists the repositories and the like of a source with their streams, by name. Errors are fault.Invalid for
// what makes no sense; a source that does not exist has none.
func (e *Engine) SourceSubjects(ctx context.Context, name string, f SubjectFilter, p Paging) (SubjectList, error) {
	list, err := e.findSubjects(ctx, name, f, p)
	return list, listed("SourceSubjects", err)
}

func (e *Engine) findSubjects(ctx context.Context, name string, f SubjectFilter, p Paging) (SubjectList, error) {
	limit, err := p.limit()
	if err != nil {
		return SubjectList{}, err
	}
	after, err := p.after("subjects", 1)
	if err != nil {
		return SubjectList{}, err
	}
	v := store.Params{"source": name, "search": strings.TrimSpace(f.Search), "problems": f.Problems, "first": after == nil, "after": "", "limit": limit + 1}
	if after != nil {
		v["after"] = after[0]
	}
	var rows []struct {
		Subject string `ch:"subject"`
		Fit     int64  `ch:"fit"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_subjects"), v); err != nil {
		return SubjectList{}, err
	}
	list := SubjectList{Subjects: []SubjectRecord{}}
	names, place := []string{""}, map[string]int{}
	for _, r := range rows {
		list.Fit = r.Fit
		list.Subjects = append(list.Subjects, SubjectRecord{Subject: r.Subject})
	}
	list.Subjects, list.Next = page(list.Subjects, limit, func(s SubjectRecord) string { return cursor("subjects", s.Subject) })
	for i, s := range list.Subjects {
		names, place[s.Subject] = append(names, s.Subject), i
	}
	streams, _, err := e.streams(ctx, store.Params{
		"source": name, "outcome": "", "kind": "", "any_subject": false, "subjects": names, "problems": false, "first": true, "after": "",
		"limit": len(names) * 2 * len(StreamKinds()),
	}, e.now())
	if err != nil {
		return SubjectList{}, err
	}
	for _, s := range streams {
		if i, ok := place[s.Subject]; !ok {
			list.Own = append(list.Own, s)
		} else {
			list.Subjects[i].Streams = append(list.Subjects[i].Streams, s)
		}
	}
	return list, nil
}

// oneSource finds a source by name.
func (e *Engine) oneSource(ctx context.Context, name string, now time.Time) (SourceRecord, error) {
	if name != "" {
		list, err := e.findSources(ctx, name, now)
		if err != nil {
			return SourceRecord{}, err
		}
		if len(list) == 1 {
			return list[0], nil
		}
	}
	all, err := e.findSources(ctx, "", now)
	if err != nil {
		return SourceRecord{}, err
	}
	if len(all) == 0 {
		return SourceRecord{}, fault.New(fault.NotFound, "there is no source %q: nothing was read or heard yet", name)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return SourceRecord{}, fault.New(fault.NotFound, "there is no source %q; there are: %s", name, strings.Join(names, ", "))
}

// findSources reads what is known of one source, or of all.
func (e *Engine) findSources(ctx context.Context, name string, now time.Time) ([]SourceRecord, error) {
	v := store.Params{"source": name, "as_of": now}
	found := map[string]*SourceRecord{}
	of := func(name string) *SourceRecord {
		if found[name] == nil {
			found[name] = &SourceRecord{Name: name, Outcomes: map[string]int64{}, Problems: []SourceProblem{}, Budgets: []SourceBudget{}, Deliveries: []SourceDeliveries{}}
		}
		return found[name]
	}
	if err := e.readSources(ctx, v, now, of); err != nil {
		return nil, err
	}
	if err := e.readProblems(ctx, v, of); err != nil {
		return nil, err
	}
	if err := e.readDeliveries(ctx, v, of); err != nil {
		return nil, err
	}
	if err := e.readBudgets(ctx, v, found); err != nil {
		return nil, err
	}
	list := make([]SourceRecord, 0, len(found))
	for _, s := range found {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b SourceRecord) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (e *Engine) readSources(ctx context.Context, v store.Params, now time.Time, of func(string) *SourceRecord) error {
	var rows []struct {
		Name          string           `ch:"name"`
		System        string           `ch:"system"`
		Subjects      int64            `ch:"subjects"`
		Failing       int64            `ch:"subjects_failing"`
		Streams       int64            `ch:"streams"`
		Outcomes      map[string]int64 `ch:"outcomes"`
		Facts         int64            `ch:"facts"`
		Requests      int64            `ch:"requests"`
		SucceededAt   *time.Time       `ch:"succeeded_at"`
		NewsUpTo      *time.Time       `ch:"news_up_to"`
		HistoryBackTo *time.Time       `ch:"history_back_to"`
		Whole         int64            `ch:"streams_complete"`
		Uncounted     int64            `ch:"streams_uncounted"`
		Complete      bool             `ch:"complete"`
		Done          int64            `ch:"done"`
		Total         int64            `ch:"total"`
		WorkLeft      int64            `ch:"work_left"`
		WorkDone      int64            `ch:"work_done"`
		WorkSince     *time.Time       `ch:"work_since"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/sources"), only(v, "source")); err != nil {
		return err
	}
	for _, r := range rows {
		s := of(r.Name)
		s.System, s.Subjects, s.Failing, s.Streams, s.Outcomes, s.Facts, s.Requests = r.System, r.Subjects, r.Failing, r.Streams, r.Outcomes, r.Facts, r.Requests
		s.SucceededAt, s.NewsUpTo, s.HistoryBackTo = utc(r.SucceededAt), utc(r.NewsUpTo), utc(r.HistoryBackTo)
		s.Complete, s.StreamsComplete, s.StreamsUncounted, s.Done, s.Total = r.Complete, r.Whole, r.Uncounted, r.Done, counted(r.Total)
		s.SecondsLeft = secondsLeft(r.Complete, r.WorkDone, r.WorkLeft, r.WorkSince, now)
	}
	return nil
}

// counted is a number of which 0 means that nobody knows it.
func counted(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// secondsLeft says how long the rest takes if it goes on as it went since it began.
func secondsLeft(complete bool, done, left int64, since *time.Time, now time.Time) *int64 {
	var seconds int64
	if !complete {
		if done <= 0 || left <= 0 || since == nil || !since.Before(now) {
			return nil
		}
		seconds = int64(math.Ceil(now.Sub(*since).Seconds() * float64(left) / float64(done)))
	}
	return &seconds
}

func (e *Engine) readProblems(ctx context.Context, v store.Params, of func(string) *SourceRecord) error {
	var rows []struct {
		Source   string     `ch:"source"`
		Outcome  string     `ch:"outcome"`
		Error    string     `ch:"error"`
		Streams  int64      `ch:"streams"`
		Examples []string   `ch:"examples"`
		Latest   time.Time  `ch:"latest"`
		NextAt   *time.Time `ch:"next_at"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_problems"), only(v, "source")); err != nil {
		return err
	}
	for _, r := range rows {
		s := of(r.Source)
		if len(s.Problems) == 0 {
			s.Error = r.Error
		}
		s.Problems = append(s.Problems, SourceProblem{Outcome: r.Outcome, Error: r.Error, Streams: r.Streams, Examples: r.Examples, Latest: r.Latest.UTC(), NextAt: utc(r.NextAt)})
	}
	return nil
}

func (e *Engine) readDeliveries(ctx context.Context, v store.Params, of func(string) *SourceRecord) error {
	var rows []struct {
		Source  string    `ch:"source"`
		Event   string    `ch:"event"`
		Outcome string    `ch:"outcome"`
		Reason  string    `ch:"reason"`
		N       int64     `ch:"times"`
		Latest  time.Time `ch:"latest"`
		OfAll   time.Time `ch:"latest_of_all"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_deliveries"), v); err != nil {
		return err
	}
	for _, r := range rows {
		s := of(r.Source)
		s.DeliveriesLatest = utc(&r.OfAll)
		if r.N > 0 {
			s.Deliveries = append(s.Deliveries, SourceDeliveries{Event: r.Event, Outcome: r.Outcome, Reason: r.Reason, N: r.N, Latest: r.Latest.UTC()})
		}
	}
	return nil
}

func (e *Engine) readBudgets(ctx context.Context, v store.Params, found map[string]*SourceRecord) error {
	var rows []struct {
		Source    string     `ch:"source"`
		Resource  string     `ch:"resource"`
		Allowance int64      `ch:"allowance"`
		Remaining int64      `ch:"remaining"`
		ResetAt   *time.Time `ch:"reset_at"`
		AsOf      time.Time  `ch:"as_of"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_budgets"), only(v, "source")); err != nil {
		return err
	}
	for _, r := range rows {
		if s := found[r.Source]; s != nil { // what is left of a source that is no more tells nothing
			s.Budgets = append(s.Budgets, SourceBudget{Resource: r.Resource, Limit: r.Allowance, Remaining: r.Remaining, ResetAt: utc(r.ResetAt), AsOf: r.AsOf.UTC()})
		}
	}
	return nil
}

// only are the values that a query names.
func only(v store.Params, names ...string) store.Params {
	some := store.Params{}
	for _, name := range names {
		some[name] = v[name]
	}
	return some
}

// streams reads streams of a source, and how many fit on all pages.
func (e *Engine) streams(ctx context.Context, v store.Params, now time.Time) (list []StreamRecord, fit int64, err error) {
	var rows []struct {
		Name        string     `ch:"name"`
		Subject     string     `ch:"subject"`
		Kind        string     `ch:"kind"`
		Outcome     string     `ch:"outcome"`
		Error       string     `ch:"error"`
		StartedAt   *time.Time `ch:"started_at"`
		AttemptedAt time.Time  `ch:"attempted_at"`
		SucceededAt *time.Time `ch:"succeeded_at"`
		NextAt      *time.Time `ch:"next_at"`
		Facts       int64      `ch:"facts"`
		Requests    int64      `ch:"requests"`
		Done        int64      `ch:"done"`
		Total       int64      `ch:"total"`
		ReachedBack *time.Time `ch:"reached_back"`
		Complete    bool       `ch:"complete"`
		Rules       string     `ch:"rules"`
		Fit         int64      `ch:"fit"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_streams"), v); err != nil {
		return nil, 0, err
	}
	list = []StreamRecord{}
	for _, r := range rows {
		s := StreamRecord{
			Name: r.Name, Subject: r.Subject, Kind: r.Kind, Outcome: r.Outcome, Error: r.Error, StartedAt: utc(r.StartedAt), AttemptedAt: r.AttemptedAt.UTC(),
			SucceededAt: utc(r.SucceededAt), NextAt: utc(r.NextAt), Facts: r.Facts, Requests: r.Requests, Done: r.Done, Total: counted(r.Total),
			ReachedBack: utc(r.ReachedBack), Complete: r.Complete, Rules: applied(r.Rules),
		}
		if r.Outcome != "gone" && r.Outcome != "denied" || r.Complete {
			s.SecondsLeft = secondsLeft(r.Complete, r.Done, r.Total-r.Done, r.StartedAt, now)
		}
		list, fit = append(list, s), r.Fit
	}
	return list, fit, nil
}

// applied reads the rules of a stream. What cannot be read is nothing.
func applied(text string) []StreamRule {
	var counts map[string]struct {
		N       int64  `json:"n"`
		Example string `json:"example"`
	}
	_ = json.Unmarshal([]byte(text), &counts)
	list := []StreamRule{}
	for rule, a := range counts {
		list = append(list, StreamRule{Rule: rule, N: a.N, Example: a.Example})
	}
	slices.SortFunc(list, func(a, b StreamRule) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Rule, b.Rule)) })
	return list
}

// freshnessKept is how long it is not asked again how fresh the sources are: it stands on every page.
const freshnessKept = 5 * time.Second

// freshness is what was found last. It is safe for use from several goroutines.
type freshness struct {
	mu     sync.Mutex
	asking bool // somebody asks the store; others take what was found before
	at     time.Time
	list   []SourceFreshness
}

// kept is what was found lately enough; who is told otherwise asks, and tells with found.
func (f *freshness) kept(now time.Time) ([]SourceFreshness, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := now.Sub(f.at); !f.at.IsZero() && (f.asking || age >= 0 && age < freshnessKept) {
		return f.list, true
	}
	f.asking = true
	return nil, false
}

func (f *freshness) found(list []SourceFreshness, now time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asking = false
	if err == nil {
		f.at, f.list = now, list
	}
}

// Freshness says when each source was last read or heard, by name. It is asked of the store once in a few seconds. The
// list is shared: nobody changes it.
func (e *Engine) Freshness(ctx context.Context) (list []SourceFreshness, err error) {
	now := e.now()
	if list, ok := e.fresh.kept(now); ok {
		return list, nil
	}
	defer func() { e.fresh.found(list, now, err) }()
	var rows []struct {
		Name    string     `ch:"name"`
		Latest  *time.Time `ch:"latest"`
		Failing int64      `ch:"failing"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_freshness"), nil); err != nil {
		return nil, listed("Freshness", err)
	}
	list = make([]SourceFreshness, 0, len(rows))
	for _, r := range rows {
		list = append(list, SourceFreshness{Name: r.Name, Latest: utc(r.Latest), Failing: r.Failing})
	}
	return list, nil
}
