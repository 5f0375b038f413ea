package collectors_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/collectors"
	"cairn/internal/event"
)

func TestEveryFolderIsAKind(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "testdata" {
			want = append(want, e.Name())
		}
	}
	var got []string
	for name, kind := range collectors.Kinds() {
		got = append(got, name)
		if kind.Summary == "" {
			t.Errorf("kind %s does not say what it collects", name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders and kinds differ (-folders +kinds):\n%s", diff)
	}
}

func TestKindRefusesItsDefaultSettingsWithAnErrorAndNoSource(t *testing.T) {
	for name, kind := range collectors.Kinds() {
		source, err := kind.New(kind.Config(), "", nil)
		if err == nil || source != nil {
			t.Errorf("kind %s: got source %v, error %v; want no source and an error: nothing says what to collect", name, source, err)
		}
	}
}

func TestKindTakesSettingsThatWereFilled(t *testing.T) {
	kind := collectors.Kinds()["git"]
	config := kind.Config()
	if err := yaml.Unmarshal([]byte("location: /srv/shop\nservice: shop\n"), config); err != nil {
		t.Fatal(err)
	}
	source, err := kind.New(config, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := source.Stream(); got != "shop" {
		t.Errorf("stream is %q, want shop", got)
	}
}

// pages is a source of pages of commits; its position is the number of the next page, moved at a page's last event.
type pages struct {
	sizes    []int
	paths    int   // of each commit
	fail     error // after the last page
	position int
}

func (p *pages) Stream() string   { return "pages" }
func (p *pages) Position() string { return strconv.Itoa(p.position) }
func (p *pages) Events(context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for page, size := range p.sizes {
			for i := range size {
				if i == size-1 {
					p.position = page + 1
				}
				c := &event.Commit{SHA: strconv.Itoa(page) + "/" + strconv.Itoa(i), Paths: slices.Repeat([]string{"p"}, p.paths)}
				if !yield(c, nil) {
					return
				}
			}
		}
		if p.fail != nil {
			yield(nil, p.fail)
		}
	}
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
		{"one batch", &pages{sizes: []int{2, 3}}, 0, []string{"write 5", "save pages 2"}, 5, ""},
		{"several batches", &pages{sizes: []int{4_000, 4_000, 9_000}}, 0,
			[]string{"write 10000", "save pages 2", "write 7000", "save pages 3"}, 17_000, ""},
		{"a position that does not move", &pages{sizes: []int{25_000}}, 0,
			[]string{"write 10000", "write 10000", "write 5000", "save pages 1"}, 25_000, ""},
		{"heavy events", &pages{sizes: []int{5}, paths: 300_000}, 0,
			[]string{"write 4", "write 1", "save pages 1"}, 5, ""},
		{"nothing new", &pages{}, 0, nil, 0, ""},
		{"a source that fails", &pages{sizes: []int{2, 3}, fail: gone}, 0, []string{"write 5", "save pages 2"}, 5, "collecting pages: the server has gone"},
		{"a sink that fails", &pages{sizes: []int{4_000, 4_000, 9_000}}, 2,
			[]string{"write 10000", "save pages 2"}, 10_000, "storing what was collected from pages: the disk is full"},
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
