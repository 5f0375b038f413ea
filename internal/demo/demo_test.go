package demo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"cairn/internal/demo"
	"cairn/internal/demo/demotest"
	"cairn/internal/event"
)

var present = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// told is a digest of all that is told.
func told(cfg demo.Config) string {
	digest := sha256.New()
	var line []byte
	for e := range demo.Organisation(cfg) {
		line = append(event.AppendJSON(line[:0], e), '\n')
		digest.Write(line)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

func TestTheSameConfigurationTellsTheSame(t *testing.T) {
	cfg := demo.Config{Seed: 1, Until: present}
	first := told(cfg)
	if told(cfg) != first {
		t.Error("the same seed told two stories")
	}
	for name, other := range map[string]demo.Config{
		"another seed": {Seed: 2, Until: present},
		"another day":  {Seed: 1, Until: present.AddDate(0, 0, 1)},
	} {
		if told(other) == first {
			t.Errorf("%s told the same", name)
		}
	}
}

// Whenever the story ends, each of its facts is one that intake takes, told by the demonstration, and none lies in the
// future but for ends that were agreed in advance.
func TestEveryFactIsValidAndOfThePast(t *testing.T) {
	for _, cfg := range []demo.Config{
		{Seed: 1, Until: present},
		{Seed: 2, Until: time.Date(2026, 2, 9, 0, 0, 0, 0, time.UTC)}, // the worst week would lie in the freeze
		{Seed: 3, Until: time.Date(2025, 8, 31, 0, 0, 0, 0, time.UTC)},
		{Seed: 4, Until: time.Date(2025, 12, 28, 9, 30, 0, 0, time.UTC)},
	} {
		wrong := 0
		seen := map[string]bool{}
		for e := range demo.Organisation(cfg) {
			if err := event.Validate(e); err != nil {
				t.Fatalf("until %s: %v\n%s", cfg.Until, err, event.AppendJSON(nil, e))
			}
			seen[e.Kind()] = true
			if _, known := demotest.Connections()[e.Common().Source]; !known || event.ToldAt(e).After(cfg.Until) || later(reflect.ValueOf(e).Elem(), cfg.Until) {
				if wrong++; wrong < 5 {
					t.Errorf("until %s: %s", cfg.Until, event.AppendJSON(nil, e))
				}
			}
		}
		for _, kind := range event.Kinds() {
			if !seen[kind] {
				t.Errorf("until %s: nothing of kind %s", cfg.Until, kind)
			}
		}
	}
}

// later tells whether an instant of a fact lies after another, but for those that may (see event.ToldAt).
func later(fact reflect.Value, than time.Time) bool {
	for i := range fact.NumField() {
		at, isInstant := fact.Field(i).Interface().(time.Time)
		_, ahead := fact.Type().Field(i).Tag.Lookup("ahead")
		if isInstant && !ahead && at.After(than) {
			return true
		}
	}
	return false
}

// Each fact has an identity of its own, and names that carry people belong to one.
func TestNothingIsToldTwice(t *testing.T) {
	aliases, commits := map[string]string{}, map[string]bool{}
	runs := map[[2]string]bool{}
	for e := range demo.Organisation(demo.Config{Seed: 1, Until: present}) {
		switch e := e.(type) {
		case *event.Person:
			for _, a := range append(e.Aliases, e.ID) {
				if aliases[a] != "" {
					t.Errorf("%s is both %s and %s", a, aliases[a], e.ID)
				}
				aliases[a] = e.ID
			}
		case *event.Commit:
			if commits[e.SHA] {
				t.Errorf("commit %s is there twice", e.SHA)
			}
			commits[e.SHA] = true
			for _, p := range e.Parents {
				if !commits[p] {
					t.Fatalf("commit %s has the parent %s, which is not there", e.SHA, p)
				}
			}
		case *event.Deployment:
			if run := [2]string{e.Service, e.ID}; runs[run] {
				t.Errorf("run %v is there twice", run)
			} else {
				runs[run] = true
			}
			for _, r := range e.Revisions {
				if !commits[r.SHA] {
					t.Fatalf("deployment %s carries %s, which is not there", e.ID, r.SHA)
				}
			}
		case *event.Incident:
			if e.CausedByDeployment != "" && !runs[[2]string{e.Service, e.CausedByDeployment}] {
				t.Errorf("incident %s names %s, which is not there", e.ID, e.CausedByDeployment)
			}
		}
	}
}
