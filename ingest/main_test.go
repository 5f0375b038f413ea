package ingest_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A store holds one folder in the life of a process, so what is killed runs in a child: this binary again, told by the
// variable what to be.
const childVariable = "CAIRN_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := map[string]func(string) error{"hear": hearUntilKilled, "know": tellWhatIsKnown}[name](os.Args[1]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
