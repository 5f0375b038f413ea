package ingest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/source"
)

func testRecord(id string) *record {
	return newRecord(source.Delivery{Source: "forge", ID: id, Event: "push", ReceivedAt: time.UnixMilli(1772323200123).UTC(),
		Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(strings.Repeat(id, 100))}, time.Hour)
}

// filled is a journal with records that are called 0, 1, …, closed again.
func filled(t *testing.T, folder string, n int) (ends []place) {
	t.Helper()
	j := newJournal(folder, 1<<20)
	if _, _, err := j.open(); err != nil {
		t.Fatal(err)
	}
	defer j.close()
	for i := range n {
		r := testRecord(fmt.Sprint(i))
		if err := j.append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, r.next)
	}
	return ends
}

// left opens the journal and returns the ids in it, and how many bytes are damaged.
func left(t *testing.T, folder string) (ids []string, damaged int64) {
	t.Helper()
	j := newJournal(folder, 1<<20)
	from, _, err := j.open()
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	for {
		records, next, lost, err := j.take(from, 3, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			want := testRecord(r.delivery)
			if r.body != want.body || !r.receivedAt.Equal(want.receivedAt) || !cmp.Equal(r.headers, want.headers) || r.source != want.source {
				t.Errorf("%s came back as %+v", r.delivery, r)
			}
			ids = append(ids, r.delivery)
		}
		damaged += lost
		if next == from {
			return ids, damaged
		}
		from = next
	}
}

func segmentPath(t *testing.T, folder string) string {
	t.Helper()
	j := newJournal(folder, 1<<20)
	j.folder = folder
	if err := j.list(); err != nil || len(j.sizes) == 0 {
		t.Fatal(err)
	}
	return j.path(j.sizes[0].number)
}

func TestATornTailIsCutOff(t *testing.T) {
	whole := t.TempDir()
	ends := filled(t, whole, 5)
	data, err := os.ReadFile(segmentPath(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	for cut := ends[3].offset; cut <= int64(len(data)); cut++ {
		folder := t.TempDir()
		filled(t, folder, 1) // for its name
		if err := os.WriteFile(segmentPath(t, folder), data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := []string{"0", "1", "2", "3"}
		if cut == int64(len(data)) {
			want = append(want, "4")
		}
		ids, damaged := left(t, folder)
		if diff := cmp.Diff(want, ids); diff != "" || damaged != 0 {
			t.Fatalf("cut at %d: %d bytes damaged\n%s", cut, damaged, diff)
		}
		filled(t, folder, 1)
		if again, damaged := left(t, folder); len(again) != len(want)+1 || damaged != 0 {
			t.Fatalf("cut at %d, and written to: %v, %d bytes damaged", cut, again, damaged)
		}
	}
}

func TestAFlippedByteLosesOneRecord(t *testing.T) {
	folder := t.TempDir()
	ends := filled(t, folder, 5)
	path := segmentPath(t, folder)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := ends[1].offset; at < ends[2].offset; at++ {
		bad := bytes.Clone(data)
		bad[at] ^= 0x40
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		ids, damaged := left(t, folder)
		if diff := cmp.Diff([]string{"0", "1", "3", "4"}, ids); diff != "" || damaged != ends[2].offset-ends[1].offset {
			t.Fatalf("byte %d: %d bytes damaged\n%s", at, damaged, diff)
		}
	}
}

// Segments that the store has are deleted, and what it has is not read again.
func TestTheMarkIsWhereReadingGoesOn(t *testing.T) {
	folder := t.TempDir()
	j := newJournal(folder, 1<<20)
	from, _, err := j.open()
	if err != nil {
		t.Fatal(err)
	}
	const n = 60
	for i := range n {
		r := testRecord(fmt.Sprint(i))
		r.body = strings.Repeat("x", 15_000)
		if err := j.append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.sizes) < 3 {
		t.Fatalf("%d segments", len(j.sizes))
	}
	records, next, _, err := j.take(from, n-1, 1<<20)
	if err != nil || len(records) != n-1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if err := j.advance(next, len(records)); err != nil {
		t.Fatal(err)
	}
	if len(j.sizes) != 1 {
		t.Errorf("%d segments are left", len(j.sizes))
	}
	left, bytes := j.behind()
	if left != 1 || bytes < 15_000 || bytes > 16_000 {
		t.Errorf("%d records of %d bytes wait, want 1", left, bytes)
	}
	j.close()
	again := newJournal(folder, 1<<20)
	from, _, err = again.open()
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if n, size := again.behind(); n != left || size != bytes {
		t.Errorf("after opening again %d records of %d bytes wait, want %d of %d", n, size, left, bytes)
	}
	if records, _, _, err = again.take(from, n, 1<<20); err != nil || len(records) != 1 || records[0].delivery != fmt.Sprint(n-1) {
		t.Errorf("%d records are read again: %v", len(records), err)
	}
}

func FuzzSegment(f *testing.F) {
	f.Add(appendRecord(appendRecord(nil, testRecord("a")), testRecord("b")))
	f.Fuzz(func(t *testing.T, data []byte) {
		good := appendRecord(nil, testRecord("good"))
		all := append(bytes.Clone(data), good...)
		last := ""
		for len(all) > 0 {
			content, skipped, end := nextRecord(all)
			if skipped > end || end > len(all) || end == 0 {
				t.Fatalf("%d, %d of %d", skipped, end, len(all))
			}
			if content != nil {
				if r, err := parseRecord(content); err == nil {
					last = r.delivery
				}
			}
			all = all[end:]
		}
		if last != "good" {
			t.Errorf("the record behind it is lost, the last one is %q", last)
		}
	})
}
