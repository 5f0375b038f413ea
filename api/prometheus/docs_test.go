package prometheus_test

import (
	"os"
	"strings"
	"testing"

	"cairn/api/prometheus"
)

// The page about the series has each of them, with its labels and its meaning as the code has them.
func TestThePageListsEverySeries(t *testing.T) {
	page, err := os.ReadFile("../../docs/prometheus.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := prometheus.Table(); !strings.Contains(string(page), want) {
		t.Errorf("docs/prometheus.md should have this table:\n%s", want)
	}
}
