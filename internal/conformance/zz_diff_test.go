package conformance_test

import (
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"cairn/internal/conformance"
	"cairn/internal/conformance/conformancetest"
	"cairn/internal/conformance/reference"
)

func TestZZDiff(t *testing.T) {
	f, _ := os.Create("/tmp/diff.txt")
	defer f.Close()
	r := runner(t)
	n := 0
	may := conformancetest.Everything()
	if os.Getenv("REM") != "" {
		may = conformancetest.Settled()
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		c := conformancetest.Case(rt, may, 1)
		asker, closing, err := r.Load(t.Context(), c)
		if err != nil {
			fmt.Fprintln(f, "LOAD", err)
			return
		}
		defer closing()
		bad := false
		for _, s := range c.Events.Services {
			for _, m := range []string{"failed_deployments", "deployment_rework_rate", "failed_deployment_unresolved", "failed_deployment_recovery_p50", "change_failure_rate"} {
				e := conformance.Expectation{Metric: m, Scope: conformance.Scope{Service: s.ID}, TimeZone: "UTC", Window: conformance.Window{From: "2026-02-01T00:00", To: "2026-05-01T00:00"}}
				want, err := reference.Answer(c, e)
				if err != nil {
					fmt.Fprintln(f, "REF", err)
					continue
				}
				got, err := asker.Ask(t.Context(), e)
				if err != nil {
					fmt.Fprintln(f, "ASK", e.Metric, e.Scope, err)
					continue
				}
				if !conformance.Equal(got.Value, want.Value) {
					bad = true
					fmt.Fprintf(f, "case%d %s %s: engine %v reference %v\n", n, e.Metric, e.Scope, got.Value, want.Value)
				}
			}
		}
		if bad {
			os.WriteFile(fmt.Sprintf("/tmp/diffcase%d.json", n), []byte(conformancetest.JSON(c)), 0o644)
		}
	})
	fmt.Fprintln(f, n, "cases")
}
