// Package storetest gives tests the real engine: one per test process, and in it an empty, migrated database for each
// call.
package storetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/internal/store"
	"cairn/internal/store/chdb"
)

// New returns an open store on a fresh, migrated database. The test skips nothing: without the engine library it
// fails. The store is closed, and its database dropped, when the test is over.
func New(t testing.TB) *store.Store {
	t.Helper()
	h, err := process()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(store.Config{Data: h.folder, Library: h.library, Database: fmt.Sprintf("test_%d", h.made.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Open(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Exec(context.Background(), "DROP DATABASE {name:Identifier} SYNC", store.Params{"name": s.Database()}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// host is the engine of this process. It is up from the first New to the end of the process, because an engine is not
// made to start and stop many times in one process.
type host struct {
	folder  string
	library string
	engine  *chdb.Engine
	made    atomic.Uint64  // databases
	exit    io.WriteCloser // closed by the end of the process, and by nothing else
}

// process returns the engine of this process; the first call starts it.
var process = sync.OnceValues(start)

func start() (*host, error) {
	library, err := store.FindLibrary()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "cairn-store-*")
	if err != nil {
		return nil, err
	}
	exit, err := removeAfterExit(folder)
	if err != nil {
		return nil, err
	}
	engine, err := chdb.Start(context.Background(), chdb.Config{Library: library, Path: filepath.Join(folder, "store")})
	if err != nil {
		return nil, err
	}
	return &host{folder: folder, library: library, engine: engine, exit: exit}, nil
}

// removeAfterExit has the folder removed when this process is gone, in whatever way it ends: a shell waits for the
// end of the pipe that is returned.
func removeAfterExit(folder string) (io.WriteCloser, error) {
	remover := exec.Command("/bin/sh", "-c", `read -r _; rm -rf "$1"`, "sh", folder)
	pipe, err := remover.StdinPipe()
	if err != nil {
		return nil, err
	}
	return pipe, remover.Start()
}
