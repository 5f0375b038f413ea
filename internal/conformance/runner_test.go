package conformance_test

import (
	"bytes"
	"context"
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
