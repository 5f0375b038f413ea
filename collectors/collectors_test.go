package collectors_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors"
	"cairn/internal/event"
)

// pages is a source of pages of facts; its position is the number of the next page, moved behind a page's last event.
type pages struct {
	sizes    []int
	list     int   // elements of a list of each fact
	changes  bool  // the facts are change requests, not commits
	fail     error // after the last page
	position int   // also where it begins
}

func (p *pages) Stream() string   { return "pages" }
func (p *pages) Position() string { return strconv.Itoa(p.position) }
func (p *pages) Events(context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for page := p.position; page < len(p.sizes); page++ {
			for i := range p.sizes[page] {
				if !yield(p.fact(page, i), nil) {
					return
				}
			}
			p.position = page + 1
		}
		if p.fail != nil {
			yield(nil, p.fail)
		}
	}
}

func (p *pages) fact(page, i int) event.Event {
	id, list := strconv.Itoa(page)+"/"+strconv.Itoa(i), slices.Repeat([]string{"p"}, p.list)
	if p.changes {
		return &event.ChangeRequest{ID: id, Commits: list}
	}
	return &event.Commit{SHA: id, Paths: list}
}

// memory is a sink that notes what happens to it.
type memory struct {
	log    []string
	refuse int // the write, from 1, that fails
	writes int
}

func (m *memory) Write(_ context.Context, b *event.Batch) error {
	if m.writes++; m.writes == m.refuse {
		return errors.New("the disk is full")
	}
	m.log = append(m.log, "write "+strconv.Itoa(b.Len()))
	return nil
}

func (m *memory) Save(_ context.Context, stream, position string) error {
	m.log = append(m.log, "save "+stream+" "+position)
	return nil
}

func TestPositionIsSavedBehindWhatItCovers(t *testing.T) {
	gone := errors.New("the server has gone")
	for _, tc := range []struct {
		name   string
		source *pages
		refuse int
		want   []string
		stored int
		err    string
	}{
		{"one page", &pages{sizes: []int{2}}, 0, []string{"write 2", "save pages 1"}, 2, ""},
		{"each page by itself", &pages{sizes: []int{2, 3, 1}}, 0,
			[]string{"write 2", "save pages 1", "write 3", "save pages 2", "write 1", "save pages 3"}, 6, ""},
		{"a page without news moves the position", &pages{sizes: []int{2, 0, 0, 1, 0}}, 0,
			[]string{"write 2", "save pages 3", "write 1", "save pages 5"}, 3, ""},
		{"only pages without news", &pages{sizes: []int{0, 0}}, 0, []string{"save pages 2"}, 0, ""},
		{"a page of several batches", &pages{sizes: []int{25_000, 1}}, 0,
			[]string{"write 10000", "write 10000", "write 5000", "save pages 1", "write 1", "save pages 2"}, 25_001, ""},
		{"heavy commits", &pages{sizes: []int{5}, list: 300_000}, 0,
			[]string{"write 4", "write 1", "save pages 1"}, 5, ""},
		{"heavy changes", &pages{sizes: []int{5}, list: 300_000, changes: true}, 0,
			[]string{"write 4", "write 1", "save pages 1"}, 5, ""},
		{"nothing new", &pages{}, 0, nil, 0, ""},
		{"a source that fails", &pages{sizes: []int{2, 3}, fail: gone}, 0,
			[]string{"write 2", "save pages 1", "write 3", "save pages 2"}, 5, "collecting pages: the server has gone"},
		{"a sink that fails", &pages{sizes: []int{4, 4, 9}}, 2,
			[]string{"write 4", "save pages 1"}, 4, "storing what was collected from pages: the disk is full"},
		{"both fail", &pages{sizes: []int{2}, fail: gone}, 1, nil, 0, "collecting pages: the server has gone\nthe disk is full"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sink := &memory{refuse: tc.refuse}
			stored, err := collectors.Run(t.Context(), tc.source, sink)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tc.err {
				t.Errorf("error is %q, want %q", message, tc.err)
			}
			if stored != tc.stored {
				t.Errorf("%d events stored, want %d", stored, tc.stored)
			}
			if diff := cmp.Diff(tc.want, sink.log); diff != "" {
				t.Errorf("what the sink saw (-want +got):\n%s", diff)
			}
		})
	}
}

// disk is a sink that keeps what is told, until it is killed.
type disk struct {
	steps    int // until it is killed; negative: never
	stored   []string
	position string
}

func (d *disk) step() error {
	if d.steps == 0 {
		return errors.New("killed")
	}
	d.steps--
	return nil
}

func (d *disk) Write(_ context.Context, b *event.Batch) error {
	if err := d.step(); err != nil {
		return err
	}
	for e := range b.All() {
		d.stored = append(d.stored, e.(*event.Commit).SHA)
	}
	return nil
}

func (d *disk) Save(_ context.Context, _, position string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.position = position
	return nil
}

func TestRunThatWasKilledAnywhereRepeatsAtMostAPage(t *testing.T) {
	sizes := []int{3, 1, 0, 4, 2}
	whole := &disk{steps: -1}
	if _, err := collectors.Run(t.Context(), &pages{sizes: sizes}, whole); err != nil {
		t.Fatal(err)
	}
	for steps := range 9 {
		d := &disk{steps: steps, position: "0"}
		_, err := collectors.Run(t.Context(), &pages{sizes: sizes}, d)
		if killed := err != nil; killed != (steps < 8) {
			t.Fatalf("with %d steps the error is %v", steps, err)
		}
		before := slices.Clone(d.stored)
		position, err := strconv.Atoi(d.position)
		if err != nil {
			t.Fatal(err)
		}
		d.steps, d.stored = -1, nil
		if _, err := collectors.Run(t.Context(), &pages{sizes: sizes, position: position}, d); err != nil {
			t.Fatal(err)
		}
		var again []string
		for _, sha := range d.stored {
			if slices.Contains(before, sha) {
				again = append(again, sha)
			}
		}
		for _, sha := range again {
			if page, _, _ := strings.Cut(sha, "/"); page != again[0][:1] {
				t.Errorf("after %d steps, %v are told again: more than a page", steps, again)
			}
		}
		all := append(before, d.stored...)
		slices.Sort(all)
		if diff := cmp.Diff(whole.stored, slices.Compact(all)); diff != "" {
			t.Errorf("after %d steps and a second run (-want +got):\n%s", steps, diff)
		}
	}
}

func TestEndedContextStoresNothingMore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sink := &memory{}
	if _, err := collectors.Run(ctx, &pages{sizes: []int{2}, fail: context.Canceled}, sink); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that the context ended", err)
	}
	if len(sink.log) > 0 {
		t.Errorf("the sink saw %s, want nothing", strings.Join(sink.log, ", "))
	}
}
