package main

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"cairn/metrics"
)

// The example on the page about configuration is complete, and its values are the defaults.
func TestTheDocumentedConfigurationIsTheDefault(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("no example on the page")
	}
	// What the example leaves out stays at a value that is no default.
	got := Config{Listen: "?", Store: StoreConfig{"?", "?", "?", "?", "?"}}
	if err := parseConfig(example[1], &got); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	got.Metrics.TrackingSince = want.Metrics.TrackingSince
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example and the defaults differ:\n%+v\n%+v", got, want)
	}
}

// Every metric of the catalogue has its page.
func TestEveryMetricHasItsPage(t *testing.T) {
	for _, d := range metrics.Definitions() {
		if _, err := os.Stat("../.." + d.Doc + ".md"); err != nil {
			t.Errorf("%s: %v", d.ID, err)
		}
	}
}
