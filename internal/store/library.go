package store

import (
	"os"
	"path/filepath"
	"runtime"

	"cairn/internal/fault"
)

// FindLibrary returns the path of libchdb in one of the usual places, the first that exists of
//
//   - libchdb.so beside the executable,
//   - .cache/engine/node_modules/@chdb/lib-<os>-<arch>/libchdb.so beside the executable's folder,
//   - the same below the current folder and its parents, up to the one with go.mod,
//   - /usr/local/lib and /usr/lib.
//
// When there is none, the fault says how to get it.
func FindLibrary() (string, error) {
	var candidates []string
	if executable, err := os.Executable(); err == nil {
		folder := filepath.Dir(executable)
		candidates = append(candidates, filepath.Join(folder, "libchdb.so"), cached(filepath.Dir(folder)))
	}
	if folder, err := os.Getwd(); err == nil {
		for {
			candidates = append(candidates, cached(folder))
			_, err := os.Stat(filepath.Join(folder, "go.mod"))
			if parent := filepath.Dir(folder); err == nil || parent == folder {
				break
			} else {
				folder = parent
			}
		}
	}
	candidates = append(candidates, "/usr/local/lib/libchdb.so", "/usr/lib/libchdb.so")
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fault.New(fault.Unavailable, "no engine library was found: %s", howToGetLibrary)
}

// cached returns where `make engine` puts the library below a folder.
func cached(folder string) string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	name := "lib-" + runtime.GOOS + "-" + arch
	if runtime.GOOS == "linux" {
		name += "-gnu"
	}
	return filepath.Join(folder, ".cache", "engine", "node_modules", "@chdb", name, "libchdb.so")
}
