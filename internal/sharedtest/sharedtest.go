// Package sharedtest finds the material that tests share with other checkouts: the folder `shared` beside the
// repository, with the conformance cases and a recorded git history. It stands outside the data's way and is imported
// by tests only.
package sharedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Root returns the repository's root, the nearest folder at or above the working directory that holds go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod at or above the working directory")
		}
		dir = parent
	}
}

// Path returns the path of ../shared/elem..., seen from the repository's root. Where the folder `shared` does not exist
// the test is skipped, but with the environment variable CI set it fails: a machine that checks must not skip silently.
// A missing file inside an existing folder always fails.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	shared := filepath.Join(filepath.Dir(Root(t)), "shared")
	path, outcome := locate(shared, os.Getenv("CI") != "", elem...)
	switch outcome {
	case skip:
		t.Skipf("%s is absent", shared)
	case fail:
		t.Fatalf("%s is absent", path)
	}
	return path
}

type outcome int

const (
	found outcome = iota
	skip
	fail
)

func locate(shared string, ci bool, elem ...string) (string, outcome) {
	if _, err := os.Stat(shared); err != nil {
		if ci {
			return shared, fail
		}
		return shared, skip
	}
	path := filepath.Join(append([]string{shared}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		return path, fail
	}
	return path, found
}
