package github

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

// listing is the position in a list that is read newest first: its news down to where the latest reading began, then its
// history. Both are read in parts and go on where they were left.
//
// News are what has an instant (of the last change, or of the creation where nothing else moves) after Top, less an
// overlap: GitHub's instants have whole seconds, and its indexes lag. What was told in the overlap is remembered, so that
// nothing is told, or asked for, twice.
//
// A thing that changes while news are read moves to the front, and others move back by one: they are seen twice. What
// moved to the front is newer than the Top that the reading will leave behind, so the next one has it.
type listing struct {
	Version int   `json:"v"`
	Top     int64 `json:"top,omitempty"` // milliseconds; 0: nothing was read yet
	// News is set while news are being read.
	News *newsPass `json:"news,omitempty"`
	// Tail is where history goes on.
	Tail     mark `json:"tail"`
	Complete bool `json:"complete,omitempty"`
	// Back is the instant down to which history is told, milliseconds.
	Back int64 `json:"back,omitempty"`
	// Total is the latest estimate of how many things there are.
	Total int64 `json:"total,omitempty"`
	// Overlap maps what was told last to its instant, milliseconds.
	Overlap map[string]int64 `json:"overlap,omitempty"`
	// Open are things that were told and will still change without moving in the list.
	Open awaited `json:"open,omitempty"`
	// Services are those that were told with their first deployment.
	Services []string `json:"services,omitempty"`
}

// newsPass is one reading of the news.
type newsPass struct {
	Floor int64 `json:"floor"` // down to which it reads, milliseconds
	Top   int64 `json:"top"`   // the newest that it saw: the floor of the next one
	At    mark  `json:"at"`
}

// mark is a place in a list: how many things come before it and, for GraphQL, a cursor behind the last of them.
type mark struct {
	N      int64  `json:"n"`
	Cursor string `json:"c,omitempty"`
}

// overlap is how far behind the newest that was told news are read again.
const overlap = time.Minute

// item is one thing of a list.
type item[T any] struct {
	id      string
	at      int64 // instant by which the list is ordered, milliseconds
	changed int64 // instant of its latest change, as far as the list shows it, milliseconds
	thing   T
	await   string // what it is awaited under; "": its id
	after   mark   // the place behind it; the zero mark where reading cannot go on in the middle of a page
}

// sheet is a page of a list.
type sheet[T any] struct {
	items []item[T]
	next  mark // where the next page begins
	more  bool // there is one
	total int64
}

// list is a list of GitHub's.
type list[T any] struct {
	// page reads the page at a place. In the order of the news and of history.
	news, history func(ctx context.Context, at mark) (sheet[T], error)
	// tell tells a thing with all that belongs to it. Open says that it will still change.
	tell func(ctx context.Context, thing T) (open bool, err error)
	// since is the instant before which history is not read; zero: all of it.
	since time.Time
}

func readListing(text, stream string) (listing, error) {
	p := listing{Version: 1}
	if text == "" {
		return p, nil
	}
	err := readPosition(text, stream, &p)
	return p, err
}

// read reads a turn of a list: news, then history. It leaves the position in t.
func (l list[T]) read(ctx context.Context, t *Turn, p *listing) error {
	save := func() {
		t.position = position(p)
		p.report(t)
	}
	p.report(t)
	if p.Top != 0 {
		done, err := l.readNews(ctx, t, p, save)
		if err != nil || !done {
			t.report.More = err == nil
			return err
		}
	}
	for !p.Complete {
		if t.spent() {
			t.report.More = true
			return nil
		}
		page, err := l.history(ctx, p.Tail)
		if err != nil {
			return err
		}
		p.Total = max(page.total, p.Total)
		if p.Top == 0 {
			// What changes from here on is news. An empty list has been read, too.
			p.Top = 1
			for _, i := range page.items {
				p.Top = max(p.Top, i.at, i.changed)
			}
		}
		for n, i := range page.items {
			if !l.since.IsZero() && i.at < l.since.UnixMilli() {
				p.Complete = true
				break
			}
			if err := l.take(ctx, t, p, i); err != nil {
				return err
			}
			p.Back = i.at
			if last := n == len(page.items)-1; !last && i.after != (mark{}) {
				p.Tail = i.after
				save()
				if t.spent() {
					t.report.More = true
					return nil
				}
			}
		}
		p.Tail = page.next
		if !page.more {
			p.Complete = true
		}
		save()
	}
	save()
	return nil
}

// readNews reads the news, and says whether it came to their end.
func (l list[T]) readNews(ctx context.Context, t *Turn, p *listing, save func()) (done bool, err error) {
	pass := p.News
	if pass == nil {
		pass = &newsPass{Floor: p.Top - overlap.Milliseconds(), Top: p.Top}
	}
	for {
		page, err := l.news(ctx, pass.At)
		if err != nil {
			return false, err
		}
		if pass.At.N == 0 {
			p.Total = max(page.total, p.Total)
		}
		end := !page.more
		for n, i := range page.items {
			if i.at < pass.Floor {
				end = true
				break
			}
			if pass.At.N == 0 {
				pass.Top = max(pass.Top, i.at)
			}
			if changed, told := p.Overlap[i.id]; told && changed == i.changed {
				continue
			}
			if err := l.take(ctx, t, p, i); err != nil {
				return false, err
			}
			if last := n == len(page.items)-1; !last && i.after != (mark{}) {
				pass.At, p.News = i.after, pass
				save()
				if t.spent() {
					return false, nil
				}
			}
		}
		if end {
			p.News, p.Top = nil, pass.Top
			p.forget()
			save()
			return true, nil
		}
		pass.At, p.News = page.next, pass
		save()
		if t.spent() {
			return false, nil
		}
	}
}

// take tells one thing and takes note of it.
func (l list[T]) take(ctx context.Context, t *Turn, p *listing, i item[T]) error {
	open, err := l.tell(ctx, i.thing)
	if err != nil {
		return err
	}
	if max(i.at, i.changed) >= p.Top-overlap.Milliseconds() {
		if p.Overlap == nil {
			p.Overlap = map[string]int64{}
		}
		p.Overlap[i.id] = i.changed
	}
	p.Open.await(cmp.Or(i.await, i.id), i.at, open)
	return nil
}

// awaited are things that will still change: their ids, with the instant of their creation in milliseconds.
type awaited map[string]int64

// Bounds of what is awaited: how many things, and for how long.
const (
	maxAwaited   = 200
	awaitedUntil = 7 * 24 * time.Hour
)

// await takes note of whether a thing will still change. Of too many the oldest is given up.
func (a *awaited) await(id string, created int64, open bool) {
	if !open {
		delete(*a, id)
		return
	}
	if *a == nil {
		*a = awaited{}
	}
	(*a)[id] = created
	if ids := a.ids(); len(ids) > maxAwaited {
		delete(*a, ids[len(ids)-1])
	}
}

// ids lists them, the newest first.
func (a awaited) ids() []string {
	ids := slices.Collect(maps.Keys(a))
	slices.SortFunc(ids, func(x, y string) int { return cmp.Or(cmp.Compare(a[y], a[x]), strings.Compare(x, y)) })
	return ids
}

// due lists them in the order in which they are to be asked for: another one comes first each time, so that all have
// their turn. What is too old is given up.
func (a awaited) due(asOf time.Time) []string {
	maps.DeleteFunc(a, func(_ string, created int64) bool { return created < asOf.Add(-awaitedUntil).UnixMilli() })
	ids := a.ids()
	if len(ids) == 0 {
		return nil
	}
	first := int(asOf.Unix()/60) % len(ids)
	return slices.Concat(ids[first:], ids[:first])
}

// forget drops what is behind the overlap.
func (p *listing) forget() {
	floor := p.Top - overlap.Milliseconds()
	maps.DeleteFunc(p.Overlap, func(_ string, changed int64) bool { return changed < floor })
}

func (p *listing) report(t *Turn) {
	t.report.Done = p.Tail.N
	t.report.Total = max(p.Total, p.Tail.N)
	if p.Complete {
		t.report.Total = max(p.Total, t.report.Done)
		t.report.Done = t.report.Total
	}
	t.report.Complete = p.Complete
	if p.Back != 0 {
		t.report.ReachedBack = time.UnixMilli(p.Back).UTC()
	}
}

// numbered reads a page of a list of the REST API as a sheet: of size things, at the place where n come before it.
func numbered[R, T any](ctx context.Context, size int64, at mark, read func(ctx context.Context, page string) ([]R, pages, error), of func(R) item[T]) (sheet[T], error) {
	number := at.N/size + 1
	things, next, err := read(ctx, strconv.FormatInt(number, 10))
	if err != nil {
		return sheet[T]{}, err
	}
	first := (number - 1) * size
	s := sheet[T]{next: mark{N: number * size}, more: next.next != 0}
	if !s.more {
		s.next = mark{N: first + int64(len(things))}
		s.total = s.next.N
	}
	if next.last > 0 {
		s.total = int64(next.last) * size
	}
	for n, thing := range things {
		if place := first + int64(n); place >= at.N {
			i := of(thing)
			i.after = mark{N: place + 1}
			s.items = append(s.items, i)
		}
	}
	return s, nil
}

// empty says whether an error means that there is nothing to read: a repository without a commit, or a thing that is
// switched off.
func empty(err error) bool {
	return err != nil && (fault.KindOf(err) == fault.Conflict || errors.Is(err, errSwitchedOff))
}

// tellDeployment tells a deployment that the rules made of a thing, with its service when that is the first of it, and
// counts the rule.
func (t *Turn) tellDeployment(d *event.Deployment, verdict rules.Verdict, example string, told *[]string) error {
	t.applied(verdict.Rule, example)
	if d == nil {
		return nil
	}
	if !slices.Contains(*told, d.Service) {
		for _, s := range t.c.t.services(t.repo.fact, d.Service) {
			if err := t.tell(s); err != nil {
				return err
			}
		}
		*told = append(*told, d.Service)
	}
	return t.tell(d)
}
