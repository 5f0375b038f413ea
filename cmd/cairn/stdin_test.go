package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// What waits on standard input is ingest's alone: all of it arrives, also in a folder that is made by the command, and
// other commands neither trip over it nor take it.
func TestStandardInputIsLeftAlone(t *testing.T) {
	dir := folder(t)
	write(t, dir, "shop.ndjson", shop())
	with := func(args ...string) (stdout string, taken int64) {
		t.Helper()
		in, err := os.Open(dir + "/shop.ndjson")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		c := command(t.Context(), dir, args...)
		var stderr bytes.Buffer
		c.Stdin, c.Stderr = in, &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("cairn %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
		}
		if taken, err = in.Seek(0, io.SeekCurrent); err != nil {
			t.Fatal(err)
		}
		return string(out), taken
	}
	if got, taken := with("ingest", "-"); got != "10 events stored.\n" || taken != int64(len(shop())) {
		t.Errorf("ingest: got %q, %d bytes taken; want 10 events, %d bytes", got, taken, len(shop()))
	}
	got, taken := with(append([]string{"query", "deployment_count"}, january...)...)
	if !strings.Contains(got, "n = 3") || taken != 0 {
		t.Errorf("query: got %q, %d bytes taken; want three deployments, none", got, taken)
	}
}
