package derive_test

import (
	"flag"
	"testing"
)

// A random case here stores facts and derives from them a dozen times: few are tried unless more are asked for with
// -rapid.checks.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", "10"); err != nil {
			panic(err)
		}
	}
	m.Run()
}
