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
	"syscall"
	"testing"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/chdb"
)

// New returns an open store on a fresh, migrated database. The test skips nothing: without the engine library it
// fails. The store is closed, and its database dropped, when the test is over.
func New(t testing.TB) *store.Store {
	t.Helper()
	_, measured := t.(*testing.B)
	h, err := process(measured)
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.open(fmt.Sprintf("test_%d", h.made.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		const sql = "DROP DATABASE IF EXISTS {name:Identifier} SYNC"
		err := s.Exec(context.Background(), sql, store.Params{"name": s.Database()})
		if err != nil && fault.KindOf(err) != fault.Unavailable { // the test may have closed it
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Again returns another store on the database of s, as another start of the program would open it. It is closed when
// the test is over.
func Again(t testing.TB, s *store.Store) *store.Store {
	t.Helper()
	again, err := TryAgain(s)
	if err != nil {
		t.Error(err)
		return s
	}
	t.Cleanup(func() {
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	})
	return again
}

// TryAgain is Again for a start that may fail; the caller closes the store.
func TryAgain(s *store.Store) (*store.Store, error) {
	h, err := process(false)
	if err != nil {
		return nil, err
	}
	return h.open(s.Database())
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

// open opens a store on a database of the host.
func (h *host) open(database string) (*store.Store, error) {
	s, err := store.New(store.Config{Data: h.folder, Library: h.library, Database: database})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s, s.Open(ctx)
}

// process returns the engine of this process; the first call starts it. A measurement has its data on a disk.
func process(measured bool) (*host, error) {
	only.Do(func() {
		parent := ""
		if !measured {
			parent = memory()
		}
		only.host, only.err = start(parent)
	})
	return only.host, only.err
}

// only is the one engine that a process can have.
var only struct {
	sync.Once
	host *host
	err  error
}

// memory returns a folder in memory with room for the data of tests, or "". Tests make many tables, and most of that
// is waiting for the disk.
func memory() string {
	const folder, enough = "/dev/shm", 2 << 30
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil || stat.Bavail*uint64(stat.Bsize) < enough {
		return ""
	}
	return folder
}

func start(parent string) (*host, error) {
	library, err := store.FindLibrary()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(parent, "cairn-store-*")
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
