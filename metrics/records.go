package metrics

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/metrics/derive"
)

// Records are what is known, one by one, as of now: services, teams, deployments, changes, incidents. They are the same
// rows that the metrics count, in lists that are read a page at a time.

// Paging says which part of a list to return. A cursor is the Next of the page before; "" is the beginning.
type Paging struct {
	Limit  int // from 1 to MaxRecords; 0 is DefaultRecords
	Cursor string
}

// How many records a page may have, and has when nothing is said.
const (
	MaxRecords     = 1000
	DefaultRecords = 100
)

// Span of time that lists of events cover when an end is left open.
var (
	beginning = time.Unix(0, 0).UTC()
	never     = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Environment is the environment that lists are about when none is named.
const Environment = derive.Production

func (p Paging) limit() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultRecords, nil
	case p.Limit < 0 || p.Limit > MaxRecords:
		return 0, fault.New(fault.Invalid, "limit is %d: expected a number from 1 to %d", p.Limit, MaxRecords)
	}
	return p.Limit, nil
}

// cursor is the place after a record of a list, whose sort key is made of the given texts.
func cursor(list string, keys ...string) string {
	text, err := json.Marshal(append([]string{list}, keys...))
	if err != nil {
		panic(err) // strings alone: it cannot happen
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// after reads the cursor of a list whose sort key has so many texts. nil is the beginning.
func (p Paging) after(list string, keys int) ([]string, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	var parts []string
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &parts)
	}
	if err != nil || len(parts) != keys+1 || parts[0] != list {
		return nil, fault.New(fault.Invalid, "cursor is %.100q: expected the next of a page of %s", p.Cursor, list)
	}
	return parts[1:], nil
}

// records starts a list: it finds whose records are asked for. The flags are what a
// reader should know of every record; stale says that facts are missing in the numbers still.
func (e *Engine) records(ctx context.Context, scope Scope, stale bool) (q *question, flags []string, err error) {
	flags = []string{}
	if stale {
		flags = append(flags, FlagCatchingUp)
	}
	now := e.now().UTC().Truncate(time.Millisecond)
	q = &question{Request: Request{Scope: scope, AsOf: now, Environment: Environment}, ctx: ctx, bots: e.cfg.IncludeBots}
	if err := e.resolve(q); err != nil {
		return nil, nil, err
	}
	services, teams := q.services, q.teams
	if services == nil {
		services = []string{}
	}
	if teams == nil {
		teams = []string{}
	}
	q.params = store.Params{
		"any_service": q.services == nil, "services": services, "any_team": q.teams == nil, "teams": teams, "as_of": now,
		"environment": Environment, "include_bots": q.bots, "signal_ttl_seconds": int64(e.cfg.SignalTTL / time.Second),
	}
	return q, flags, nil
}

// span bounds a list of events to [from, to); zero ends are open.
func span(p store.Params, from, to time.Time) error {
	if from.IsZero() {
		from = beginning
	}
	if to.IsZero() {
		to = never
	}
	if !from.Before(to) {
		return fault.New(fault.Invalid, "from (%s) must be before to (%s)", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
	}
	p["from"], p["to"] = from.UTC(), to.UTC()
	return nil
}

// newest completes the values of a query for a page of events, newest first. The sort key is the instant and the named
// texts.
func (p Paging) newest(list string, values store.Params, names ...string) (limit int, err error) {
	if limit, err = p.limit(); err != nil {
		return 0, err
	}
	keys, err := p.after(list, 1+len(names))
	if err != nil {
		return 0, err
	}
	values["limit"], values["first"], values["after_at"] = limit+1, keys == nil, beginning
	for i, name := range names {
		values["after_"+name] = ""
		if keys != nil {
			values["after_"+name] = keys[1+i]
		}
	}
	if keys != nil {
		ms, err := strconv.ParseInt(keys[0], 10, 64)
		if err != nil || ms < 0 || ms > never.UnixMilli() {
			return 0, fault.New(fault.Invalid, "cursor is %.100q: expected the next of a page of %s", p.Cursor, list)
		}
		values["after_at"] = time.UnixMilli(ms).UTC()
	}
	return limit, nil
}

// newestFirst has ask read a page of events with the values of a query. It first narrows the span of time to the one in
// which the page lies, as far as that can be told without merging tellings, so that only that much is merged. Where too
// many of them do not belong to the page it reaches back further. read is how many rows ask found.
func (e *Engine) newestFirst(ctx context.Context, file string, v store.Params, limit int, ask func(store.Params) (read int, err error)) error {
	for enough := 4 * (limit + 1); ; enough *= 16 {
		narrow := maps.Clone(v)
		narrow["enough"] = enough
		var rows []struct {
			First time.Time `ch:"first"`
			Last  time.Time `ch:"last"`
			N     uint64    `ch:"n"`
		}
		if err := e.st.Select(ctx, &rows, e.query(file+"_span"), narrow); err != nil {
			return err
		}
		if len(rows) == 0 || rows[0].N == 0 {
			return nil
		}
		narrow["from"], narrow["to"] = rows[0].First.UTC(), rows[0].Last.UTC().Add(time.Millisecond)
		read, err := ask(narrow)
		if err != nil || read > limit || rows[0].N < uint64(enough) {
			return err
		}
	}
}

// page cuts a list that was read with one more than the limit, and says where the next page begins.
func page[T any](rows []T, limit int, place func(T) string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], place(rows[limit-1])
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// listed wraps the error of a list once. What is wrong with the request says enough itself.
func listed(list string, err error) error {
	if kind := fault.KindOf(err); err == nil || kind == fault.Invalid || kind == fault.NotFound {
		return err
	}
	return fmt.Errorf("metrics.%s: %w", list, err)
}
