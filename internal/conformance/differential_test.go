package conformance_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"cairn/internal/conformance"
	"cairn/internal/conformance/conformancetest"
	"cairn/internal/conformance/reference"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

// The engine, by the ordinary way, and the reference, which reads the definitions as literally as it can, answer
// random questions about random histories alike.
func TestTheEngineAnswersAsTheReferenceDoes(t *testing.T) {
	const questions = 25
	r := emptied(t)
	few(t, 40, func(t *rapid.T) {
		compare(t, r, conformancetest.Case(t, conformancetest.Settled(), questions))
	})
}

// few tries a property on so many random cases, a fifth of them with -short, unless -rapid.checks asks for another number.
func few(t *testing.T, cases int, property func(*rapid.T)) {
	t.Helper()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set(strconv.Itoa(cases)); err != nil {
			t.Fatal(err)
		}
		defer checks.Value.Set(checks.DefValue)
	}
	rapid.Check(t, property)
}

// sampled are the metrics whose n a case may state.
var sampled = map[string]bool{
	"lead_time_p50": true, "lead_time_p75": true, "lead_time_p90": true, "change_failure_rate": true, "deployment_rework_rate": true,
	"failed_deployment_recovery_p50": true, "failed_deployment_recovery_p90": true, "time_to_restore_p50": true, "csat": true, "enps": true,
	"adoption_rate": true,
}

// compare asks both the questions of the case.
func compare(t *rapid.T, r *conformance.Runner, c conformance.Case) {
	ctx := context.Background()
	// Questions with other settings come last: each change of settings derives everything anew.
	slices.SortStableFunc(c.Expected, func(a, b conformance.Expectation) int {
		return len(fmt.Sprint(a.SettingsOverride)) - len(fmt.Sprint(b.SettingsOverride))
	})
	asker, closing, err := r.Load(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range c.Expected {
		want, err := reference.Answer(c, x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := asker.Ask(ctx, x)
		if err != nil {
			t.Errorf("%s of %s: %v", x.Metric, x.Scope, err)
			continue
		}
		asked := x
		asked.Value, asked.OtherSuppressed, asked.BucketLabels, asked.Partial = want.Value, want.OtherSuppressed, want.BucketLabels, want.Partial
		if sampled[x.Metric] && x.Bucket == "" {
			asked.N = want.N
		}
		for _, d := range conformance.Compare(asked, got) {
			t.Errorf("%s of %s, %s to %s %s %s %s %v: %s", x.Metric, x.Scope, x.Window.From, x.Window.To, x.Bucket, x.Stage, x.Capability, x.SettingsOverride, d)
		}
	}
	if err := closing(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Log(conformancetest.JSON(c))
	}
}

// emptied is a runner whose cases share one store, emptied for each.
func emptied(t *testing.T) *conformance.Runner {
	st := storetest.New(t)
	return &conformance.Runner{
		Fresh: func(ctx context.Context) (*store.Store, func() error, error) {
			var tables []struct {
				Name string `ch:"name"`
			}
			if err := st.Select(ctx, &tables, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name NOT LIKE 'goose%'", nil); err != nil {
				return nil, nil, err
			}
			for _, table := range tables {
				if err := st.Exec(ctx, "TRUNCATE TABLE {name:Identifier}", store.Params{"name": table.Name}); err != nil {
					return nil, nil, err
				}
			}
			return st, func() error { return nil }, nil
		},
		Intake: intake,
	}
}
