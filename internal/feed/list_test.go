package feed_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/feed"
	"cairn/internal/feed/feedtest"
	"cairn/internal/hook/hooktest"
	"cairn/internal/source"
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// thing is an incident of a made-up system.
type thing struct {
	id               string
	created, updated time.Time
	open             bool
	changes          int
}

// world is the system: something may happen at any request.
type world struct {
	now     time.Time
	takes   time.Duration // a request
	things  []*thing
	happens func(w *world)
	asked   int
}

func (w *world) add(created time.Time, open bool) {
	w.things = append(w.things, &thing{id: "i" + strconv.Itoa(len(w.things)), created: created, updated: created, open: open})
}

func (w *world) change(i int, end bool) {
	t := w.things[i]
	t.updated, t.changes = w.now, t.changes+1
	if end {
		t.open = !t.open
	}
}

func (w *world) request(t *feed.Turn) {
	t.Asked()
	w.asked++
	w.now = w.now.Add(w.takes)
	if w.happens != nil {
		w.happens(w)
	}
}

// page is a page of those that fit, latest first.
func (w *world) page(fits func(*thing) bool, cursor string, size int) ([]thing, string, error) {
	var all []thing
	for _, t := range w.things {
		if fits(t) {
			all = append(all, *t)
		}
	}
	slices.SortStableFunc(all, func(a, b thing) int { return b.created.Compare(a.created) })
	offset, _ := strconv.Atoi(cursor)
	offset = min(offset, len(all))
	end := min(offset+size, len(all))
	if end == len(all) {
		return all[offset:end], "", nil
	}
	return all[offset:end], strconv.Itoa(end), nil
}

// list is the world's: its news show what is open and what began within a week.
func (w *world) list(since time.Time) feed.List[thing] {
	const size = 3
	return feed.List[thing]{
		Since: since, Vanish: true,
		First: func(_ context.Context, t *feed.Turn) (first time.Time, _ error) {
			w.request(t)
			for _, t := range w.things {
				if first.IsZero() || t.created.Before(first) {
					first = t.created
				}
			}
			return first, nil
		},
		Created: func(_ context.Context, t *feed.Turn, from, until time.Time, cursor string) ([]thing, string, error) {
			w.request(t)
			return w.page(func(t *thing) bool { return !t.created.Before(from) && t.created.Before(until) }, cursor, size)
		},
		Changed: func(_ context.Context, t *feed.Turn, since time.Time, cursor string) ([]thing, string, error) {
			w.request(t)
			return w.page(func(t *thing) bool { return t.open || t.created.After(since.Add(-7*24*time.Hour)) }, cursor, size)
		},
		One: func(_ context.Context, t *feed.Turn, id string) (thing, error) {
			w.request(t)
			for _, t := range w.things {
				if t.id == id {
					return *t, nil
				}
			}
			return thing{}, fault.New(fault.NotFound, "there is no %s", id)
		},
		Key: func(t thing) feed.Key {
			return feed.Key{ID: t.id, Created: t.created, Updated: t.updated, Open: t.open}
		},
		Tell: func(_ context.Context, t *feed.Turn, x thing) error {
			f := &event.Incident{ID: x.id, Title: strconv.Itoa(x.changes), StartedAt: x.created}
			f.Source, f.UpdatedAt = "w", x.updated
			return t.Tell(f)
		},
	}
}

func (w *world) reader(since time.Time) *feedtest.Reader {
	return &feedtest.Reader{Connection: feed.Connect("w", source.Stream{Name: "incidents", Kind: source.Incidents, Every: time.Minute}, w.list(since))}
}

// wants compares what is known with what is.
func (w *world) wants(t interface{ Errorf(string, ...any) }, r *feedtest.Reader, since time.Time) {
	want, got := map[string]string{}, map[string]string{}
	for _, x := range w.things {
		if !x.created.Before(since) {
			want[x.id] = strconv.Itoa(x.changes)
		}
	}
	for _, e := range hooktest.Known(r.Facts) {
		i := e.(*event.Incident)
		got[i.ID] = i.Title
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is known differs (-is +known):\n%s", diff)
	}
}

// Whatever begins, changes and ends while the list is read, whenever processes die, and however wrong the clock here is:
// in the end all of it is known as it is.
func TestInTheEndEverythingIsKnownAsItIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{now: epoch, takes: time.Duration(rapid.SampledFrom([]int{1, 40}).Draw(rt, "takes")) * time.Second}
		skew := time.Duration(rapid.IntRange(-5, 5).Draw(rt, "skew")) * time.Hour
		for range rapid.IntRange(0, 60).Draw(rt, "things") {
			w.add(epoch.Add(-time.Duration(rapid.IntRange(1, 200*24).Draw(rt, "age"))*time.Hour), rapid.Bool().Draw(rt, "open"))
		}
		var since time.Time
		if rapid.Bool().Draw(rt, "bounded") {
			since = epoch.Add(-60 * 24 * time.Hour)
		}
		w.happens = func(w *world) {
			switch n := rapid.IntRange(0, 9).Draw(rt, "what"); {
			case n == 0:
				w.add(w.now, true)
			case n <= 2 && len(w.things) > 0:
				// What is over for long does not change: the system would not show it.
				i := rapid.IntRange(0, len(w.things)-1).Draw(rt, "which")
				if x := w.things[i]; x.open || w.now.Sub(x.created) < 6*24*time.Hour {
					w.change(i, n == 1)
				}
			}
		}
		r := w.reader(since)
		for range rapid.IntRange(1, 4).Draw(rt, "looks") {
			if err := r.CatchUp(t, w.now.Add(skew), rapid.IntRange(0, 7).Draw(rt, "crash")); err != nil {
				rt.Fatal(err)
			}
			w.now = w.now.Add(15 * time.Minute)
		}
		w.happens = nil
		for range 2 {
			if err := r.CatchUp(t, w.now.Add(skew), 0); err != nil {
				rt.Fatal(err)
			}
			w.now = w.now.Add(time.Hour)
		}
		w.wants(rt, r, since)
		if !r.Report.Complete {
			rt.Errorf("read to the end it is %+v", r.Report)
		}
	})
}

func TestALookWithoutNewsCostsLittle(t *testing.T) {
	w := &world{now: epoch}
	for i := range 100 {
		w.add(epoch.Add(-time.Duration(i*24)*time.Hour), i == 50)
	}
	r := w.reader(time.Time{})
	for range 2 {
		if err := r.CatchUp(t, w.now, 0); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(15 * time.Minute)
	}
	told, asked := len(r.Facts), w.asked
	if err := r.CatchUp(t, w.now, 0); err != nil {
		t.Fatal(err)
	}
	if len(r.Facts)-told > 1 || w.asked-asked > 4 {
		t.Errorf("it told %d facts with %d requests", len(r.Facts)-told, w.asked-asked)
	}
	w.wants(t, r, time.Time{})
}

func TestNewsComeBeforeHistory(t *testing.T) {
	w := &world{now: epoch}
	for i := range 200 {
		w.add(epoch.Add(-time.Duration(i)*time.Hour), false)
	}
	r := w.reader(time.Time{})
	turn := func() []event.Event {
		s := r.Connection.Streams()[0]
		turn, err := r.Connection.Turn(s, r.Position, w.now)
		if err != nil {
			t.Fatal(err)
		}
		var facts []event.Event
		for e, err := range turn.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			facts = append(facts, e)
		}
		r.Position, r.Report = turn.Position(), turn.Report()
		return facts
	}
	first := turn()
	if len(first) == 0 || len(first) > 30 || first[0].(*event.Incident).ID != "i0" || !r.Report.More || r.Report.Complete {
		t.Fatalf("the first turn told %d facts, report %+v", len(first), r.Report)
	}
	w.now = w.now.Add(time.Minute)
	w.add(w.now, true)
	if again := turn(); len(again) == 0 || again[0].(*event.Incident).ID != "i200" {
		t.Errorf("the next turn does not begin with the news: %v", hooktest.Tellings(again[:1]))
	}
}

func TestOneThingIsToldAgainAndAStrangerTellsNothing(t *testing.T) {
	w := &world{now: epoch}
	w.add(epoch, true)
	r := w.reader(time.Time{})
	if err := r.Refresh(t, "i0", epoch); err != nil || len(r.Facts) != 1 {
		t.Errorf("got %v and %d facts", err, len(r.Facts))
	}
	if err := r.Refresh(t, "nobody", epoch); err != nil || len(r.Facts) != 1 {
		t.Errorf("of a stranger: got %v and %d facts", err, len(r.Facts))
	}
	for _, text := range []string{"{}", "[", `{"v":2}`} {
		if err := r.Connection.Recall("incidents", text+" "); text != "{}" && fault.KindOf(err) != fault.Invalid {
			t.Errorf("the position %q is taken: %v", text, err)
		}
	}
	if _, err := r.Connection.Refresh(source.Wake{Stream: "incidents"}, epoch); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a subject: %v", err)
	}
}
