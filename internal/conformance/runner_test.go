package conformance_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/ingest"
	"cairn/internal/conformance"
	"cairn/internal/event"
	"cairn/internal/sharedtest"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

// intake is the ordinary way in: what the decoder takes, stored by Intake.
func intake(ctx context.Context, st *store.Store, ndjson []byte) error {
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		return err
	}
	var d event.Decoder
	var b event.Batch
	if err := d.Decode(bytes.NewReader(ndjson), &b); err != nil {
		return err
	}
	return in.Write(ctx, &b)
}

func runner(t *testing.T) *conformance.Runner {
	return &conformance.Runner{
		Fresh: func(context.Context) (*store.Store, func() error, error) {
			return storetest.New(t), func() error { return nil }, nil
		},
		Intake: intake,
	}
}

// Every worked case comes out as it was computed by hand.
func TestCases(t *testing.T) {
	t.Run("shared", func(t *testing.T) { folder(t, sharedtest.Path(t, "cases")) })
	t.Run("own", func(t *testing.T) { folder(t, "testdata") })
}

func folder(t *testing.T, dir string) {
	cases, err := conformance.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			var out bytes.Buffer
			tally, err := runner(t).Case(t.Context(), c, &out)
			if err != nil {
				t.Fatal(err)
			}
			if tally.Failed > 0 || tally.Passed == 0 {
				t.Errorf("%d passed, %d failed\n%s", tally.Passed, tally.Failed, &out)
			}
		})
	}
}

// A case that cannot be run fails with all that it expects, and says why; the others are run.
func TestDirGoesOnAfterACaseThatCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	const rest = `"as_of": "2026-02-01T00:00:00Z", "settings": {"ttfd_start": "created_at", "adoption_signal_ttl_days": 30, "team_adoption_threshold": 0.5}, "expected": [`
	const none = `{"metric": "deployment_count", "scope": {"team": "red"}, "window": {"from": "2026-01-01T00:00", "to": "2026-02-01T00:00"}, "time_zone": "UTC", "value": 0, "unit": "deployments"}`
	for name, text := range map[string]string{
		"1-unreadable.json": `{"id": 1}`,
		"2-refused.json":    `{"id": "refused", "events": {"repos": [{"id": ""}]}, ` + rest + none + "," + none + "]}",
		"3-good.json":       `{"id": "good", "events": {"teams": ["red", {"id": "blue"}]}, ` + rest + none + "]}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	tally, err := runner(t).Dir(t.Context(), dir, &out)
	if err != nil {
		t.Fatal(err)
	}
	if want := (conformance.Tally{Passed: 1, Failed: 3}); tally != want {
		t.Errorf("got %+v, want %+v\n%s", tally, want, &out)
	}
	for _, want := range []string{"1-unreadable.json: ", "2-refused.json: ", "1 passed, 3 failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want %q in it", &out, want)
		}
	}
}
