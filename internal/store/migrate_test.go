package store_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the data folder of the present schema to testdata")

func TestOpeningAgainChangesNothing(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	if err := s.Exec(ctx, "INSERT INTO teams (id) VALUES ('a')", nil); err != nil {
		t.Fatal(err)
	}
	again := storetest.Again(t, s)
	var teams, versions uint64
	if err := again.QueryRow(ctx, "SELECT (SELECT count() FROM teams), (SELECT count() FROM goose_db_version)", nil).Scan(&teams, &versions); err != nil {
		t.Fatal(err)
	}
	if want := uint64(schemaVersion(t, s) + 1); teams != 1 || versions != want {
		t.Errorf("%d teams, %d versions; want 1, %d", teams, versions, want)
	}
}

// schemaVersion returns the number of the last migration that s has seen.
func schemaVersion(t *testing.T, s *store.Store) int64 {
	t.Helper()
	var version int64
	if err := s.QueryRow(t.Context(), "SELECT max(version_id) FROM goose_db_version", nil).Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

func TestSeveralMayMigrateAtOnce(t *testing.T) {
	for round := range 2 {
		first := storetest.New(t)
		if err := first.Exec(t.Context(), "DROP DATABASE {name:Identifier} SYNC", store.Params{"name": first.Database()}); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				s := storetest.Again(t, first)
				var n uint64
				if err := s.QueryRow(t.Context(), "SELECT count() FROM commits", nil).Scan(&n); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		group.Wait()
		if got := schemaVersion(t, first); got == 0 {
			t.Errorf("round %d: nothing is migrated", round)
		}
	}
}

func TestDataOfANewerProgramIsRefused(t *testing.T) {
	s := storetest.New(t)
	known := schemaVersion(t, s)
	if err := s.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)", nil); err != nil {
		t.Fatal(err)
	}
	_, err := storetest.TryAgain(s)
	wantFault(t, err, fault.Conflict,
		fmt.Sprintf("the data was written by a newer version of this program (schema 99999, this one knows %d): use that one", known))
}

// The facts of a fixture, and how they are read.
const (
	fixtureRows = `INSERT INTO deployments (service, id, attempt, status, finished_at, revisions, failed, source, updated_at, version) VALUES
		('shop', 'd1', 1, 'success', '2026-01-02 03:04:05.006', [('acme/shop', 'c1', '', 'app', 'commit')], false, 'test', '2026-01-02 03:04:05.006', 7)`
	fixtureOlder = `INSERT INTO deployments (service, id, attempt, status, source, version) VALUES ('shop', 'd1', 1, 'pending', 'test', 6)`
	fixtureQuery = `SELECT concat(service, ' ', id, ' ', status, ' ', toString(finished_at), ' ', revisions[1].repository, ' ', revisions[1].sha) FROM deployments FINAL`
	fixtureWant  = "shop d1 success 2026-01-02 03:04:05.006 acme/shop c1"
)

// writeFixture makes a data folder of the present schema, with a fact that was told twice.
func writeFixture(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	ctx := context.Background()
	err = errors.Join(s.Exec(ctx, fixtureRows, nil), s.Exec(ctx, fixtureOlder, nil))
	var version int64
	if scanning := s.QueryRow(ctx, "SELECT max(version_id) FROM goose_db_version", nil).Scan(&version); scanning != nil {
		return scanning
	}
	fmt.Println(version)
	return errors.Join(err, s.Close())
}

// readFixture opens such a folder as any start does, adds to it and says what it reads.
func readFixture(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	ctx := context.Background()
	var text string
	if err := s.QueryRow(ctx, fixtureQuery, nil).Scan(&text); err != nil {
		return err
	}
	fmt.Println(text)
	return errors.Join(insertCommits(s, "shop", 3), s.Close())
}

// TestDataOfEverySchemaCanBeOpened opens data folders that earlier versions of the program have written. Behind a new
// migration, go test ./internal/store -run EverySchema -update adds the folder of the present one.
func TestDataOfEverySchemaCanBeOpened(t *testing.T) {
	if *update {
		folder := t.TempDir()
		version := output(t, child(t, "write", folder))
		pack(t, folder, filepath.Join("testdata", "schema_"+version+".tar.gz"))
	}
	archives, err := filepath.Glob("testdata/schema_*.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	present := fmt.Sprintf("testdata/schema_%d.tar.gz", schemaVersion(t, storetest.New(t)))
	if _, err := os.Stat(present); err != nil {
		t.Errorf("there is no %s; go test ./internal/store -run EverySchema -update writes it", present)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			folder := t.TempDir()
			unpack(t, archive, folder)
			for range 2 {
				if got := output(t, child(t, "fixture", folder)); got != fixtureWant {
					t.Errorf("got  %s\nwant %s", got, fixtureWant)
				}
			}
		})
	}
}

// pack writes the folder as an archive, links as links.
func pack(t *testing.T, folder, archive string) {
	t.Helper()
	file, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	squeezed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	out := tar.NewWriter(squeezed)
	if err := errors.Join(out.AddFS(os.DirFS(folder)), out.Close(), squeezed.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, archive, folder string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	squeezed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(squeezed)
	for {
		header, err := in.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, filepath.FromSlash(header.Name))
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o750)
		case tar.TypeSymlink:
			err = os.Symlink(header.Linkname, path)
		default:
			var data []byte
			if data, err = io.ReadAll(in); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, data, 0o640))
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(header.Name), err)
		}
	}
}
