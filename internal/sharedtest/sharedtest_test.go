package sharedtest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLocate(t *testing.T) {
	present := t.TempDir()
	if err := os.Mkdir(filepath.Join(present, "cases"), 0o755); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(present, "nothing")
	tests := []struct {
		name   string
		shared string
		ci     bool
		elem   string
		want   outcome
	}{
		{"a folder that is there is found", present, false, "cases", found},
		{"a folder that is there is found in CI", present, true, "cases", found},
		{"without the shared folder a test is skipped", absent, false, "cases", skip},
		{"without the shared folder a test fails in CI", absent, true, "cases", fail},
		{"a missing file in a present folder fails", present, false, "data", fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, got := locate(tt.shared, tt.ci, tt.elem)
			if got != tt.want {
				t.Errorf("locate: got outcome %d for %s, want %d", got, path, tt.want)
			}
		})
	}
}

func TestRootHoldsTheModule(t *testing.T) {
	if _, err := os.Stat(filepath.Join(Root(t), "internal", "sharedtest")); err != nil {
		t.Error(err)
	}
}
