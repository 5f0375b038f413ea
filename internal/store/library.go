package store

import (
	"os"
	"path/filepath"
	"runtime"

	"cairn/internal/fault"
)

// FindLibrary returns the path of libchdb in one of the usual places, the first that exists of
//
//   - beside the executable,
//   - in .cache/engine/node_modules/@chdb/lib-<os>-<arch> beside the executable's folder,
//   - in the same below the current folder and its parents, up to the one with go.mod,
//   - in /usr/local/lib and /usr/lib.
//
// When there is none, the fault says how to get it.
func FindLibrary() (string, error) {
	var folders []string
	if executable, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(executable); err == nil {
			executable = target
		}
		folder := filepath.Dir(executable)
		folders = append(folders, folder, cached(filepath.Dir(folder)))
	}
	if folder, err := os.Getwd(); err == nil {
		for {
			folders = append(folders, cached(folder))
			_, err := os.Stat(filepath.Join(folder, "go.mod"))
			parent := filepath.Dir(folder)
			if err == nil || parent == folder {
				break
			}
			folder = parent
		}
	}
	for _, folder := range append(folders, "/usr/local/lib", "/usr/lib") {
		for _, name := range []string{"libchdb.so", "libchdb.dylib"} {
			path := filepath.Join(folder, name)
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	return "", fault.New(fault.Unavailable, "no engine library was found: %s", howToGetLibrary)
}

// cached returns the folder, below a project's, where `make engine` puts the library for this machine.
func cached(project string) string {
	machine := runtime.GOOS + "-" + map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS == "linux" {
		machine += "-gnu"
	}
	return filepath.Join(project, ".cache", "engine", "node_modules", "@chdb", "lib-"+machine)
}
