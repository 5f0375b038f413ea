package git

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	sha1A = "0123456789abcdef0123456789abcdef01234567"
	sha1B = "fedcba9876543210fedcba9876543210fedcba98"
)

// appendTo writes a record as git log does in logFormat.
func (rec record) appendTo(b []byte) []byte {
	for _, field := range []string{"", rec.sha, strings.Join(rec.parents, " "), rec.authored, rec.committed, rec.author, rec.email, rec.message} {
		b = append(append(b, field...), 0)
	}
	for i, path := range rec.paths {
		if i == 0 {
			b = append(b, '\n')
		}
		b = append(append(b, path...), 0)
	}
	return b
}

// parse reads all records of a log and says how many bytes they took.
func parse(log []byte, buffer int) (records []record, read int, err error) {
	source := bytes.NewReader(log)
	buffered := bufio.NewReaderSize(source, buffer)
	for l := newLogReader(buffered); ; {
		rec, err := l.next()
		if err == io.EOF {
			return records, read, nil
		}
		if err != nil {
			return records, read, err
		}
		records = append(records, rec)
		read = len(log) - source.Len() - buffered.Buffered()
	}
}

func TestLogOfAnyContentIsReadAsItWasWritten(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune("a\n \xff/-commitü0123456789"))).Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
	path := text.Filter(func(s string) bool { return s != "" })
	sha := rapid.StringMatching("[0-9a-f]{40}|[0-9a-f]{64}")
	rapid.Check(t, func(t *rapid.T) {
		var want []record
		var log []byte
		for range rapid.IntRange(0, 5).Draw(t, "commits") {
			rec := record{
				sha: sha.Draw(t, "sha"), authored: text.Draw(t, "authored"), committed: text.Draw(t, "committed"),
				author: text.Draw(t, "author"), email: text.Draw(t, "e-mail"), message: text.Draw(t, "message"),
			}
			if rapid.Bool().Draw(t, "has parents") {
				rec.parents = rapid.SliceOfN(sha, 1, 4).Draw(t, "parents")
			}
			if rapid.Bool().Draw(t, "has paths") {
				rec.paths = rapid.SliceOfN(path, 1, 5).Draw(t, "paths")
			}
			want, log = append(want, rec), rec.appendTo(log)
		}
		got, _, err := parse(log, rapid.IntRange(16, 200).Draw(t, "buffer"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(record{})); diff != "" {
			t.Fatalf("records (-written +read):\n%s", diff)
		}
	})
}

func TestSpoiltLogIsAnError(t *testing.T) {
	good := string(record{sha: sha1A, parents: []string{sha1B}, authored: "1", committed: "2", paths: []string{"a", "b"}}.appendTo(nil))
	for _, tc := range []struct {
		name, log string
		want      error
	}{
		{"no NUL before the first record", good[1:], errRecord},
		{"cut in the header", good[:60], io.ErrUnexpectedEOF},
		{"cut behind the header's first NUL", good[:1], io.ErrUnexpectedEOF},
		{"cut in a path", good[:len(good)-1], io.ErrUnexpectedEOF},
		{"no sha", strings.Replace(good, sha1A, "commit "+sha1A, 1), errRecord},
		{"a shortened sha", strings.Replace(good, sha1A, sha1A[:39], 1), errRecord},
		{"a parent that is none", strings.Replace(good, sha1B, strings.ToUpper(sha1B), 1), errRecord},
		{"two spaces between parents", strings.Replace(good, sha1B, sha1B+"  "+sha1B, 1), errRecord},
		{"paths without their line feed", strings.Replace(good, "\n", "", 1), errRecord},
		{"an empty path", strings.Replace(good, "\na\x00", "\n\x00", 1), errRecord},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if records, _, err := parse([]byte(tc.log), 64); !errors.Is(err, tc.want) {
				t.Errorf("got %d records and error %v, want error %v", len(records), err, tc.want)
			}
		})
	}
}

// FuzzLogParser: whatever is read is read without doubt, so that writing it gives the bytes that were read.
func FuzzLogParser(f *testing.F) {
	f.Add([]byte{}, uint16(64))
	f.Add(record{sha: sha1A}.appendTo(nil), uint16(16))
	two := record{sha: sha1A, parents: []string{sha1B, sha1A}, authored: "1", committed: "2", author: "A", email: "a@x", message: "m\n\nb", paths: []string{"a", "\nb"}}.appendTo(nil)
	f.Add(record{sha: sha1B, message: "x"}.appendTo(two), uint16(100))
	f.Add(two[:len(two)-3], uint16(100))
	f.Fuzz(func(t *testing.T, log []byte, buffer uint16) {
		records, read, err := parse(log, 16+int(buffer))
		var again []byte
		for _, rec := range records {
			again = rec.appendTo(again)
			for _, path := range rec.paths {
				if path == "" {
					t.Fatalf("an empty path in %q", log)
				}
			}
		}
		if !bytes.Equal(again, log[:read]) {
			t.Fatalf("read %q, which is written %q", log[:read], again)
		}
		if err == nil && read != len(log) {
			t.Fatalf("%d of %d bytes were read, without an error", read, len(log))
		}
		// What goes on from a record never fails either.
		for _, rec := range records {
			_, _, _, _, _ = subject(rec.message), cherryPicked(rec.message), reverted(rec.message), author(rec), new(bots).wrote(rec)
			_, _ = seconds(rec.authored)
			if request := revertedRequest(rec.message); request != "" && (len(request) < 2 || brought("Reverts "+request, request)) {
				t.Fatalf("%q is said to revert %q", rec.message, request)
			}
		}
	})
}
