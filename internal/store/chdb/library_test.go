package chdb_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"cairn/internal/store/chdb"
)

func TestLoadTellsWhatIsWrongWithALibrary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the stand-ins are Linux libraries")
	}
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library at all\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path string
		want       error
	}{
		{"absent", filepath.Join(dir, "absent.so"), chdb.ErrNoLibrary},
		{"a folder", dir, chdb.ErrWrongLibrary},
		{"a text", text, chdb.ErrWrongLibrary},
		{"for another processor", otherProcessor(t, dir), chdb.ErrWrongLibrary},
		{"another library", compiled(t, dir, "other", "int other(void) { return 1; }"), chdb.ErrWrongLibrary},
		{"an older one", compiled(t, dir, "old", "void *chdb_connect(int c, char **v) { return 0; }"), chdb.ErrOldLibrary},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.path == "" {
				t.Skip("no C compiler")
			}
			if _, err := chdb.Load(tc.path); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// otherProcessor returns the start of the real library with another machine in its header.
func otherProcessor(t *testing.T, dir string) string {
	t.Helper()
	file, err := os.Open(library(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	header := make([]byte, 1<<16)
	if _, err := file.Read(header); err != nil {
		t.Fatal(err)
	}
	const machine = 18 // offset of e_machine in an ELF header
	header[machine] ^= 0xff
	path := filepath.Join(dir, "machine.so")
	if err := os.WriteFile(path, header, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// compiled returns a shared library made of the source, or "" on a machine without a C compiler.
func compiled(t *testing.T, dir, name, source string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		return ""
	}
	in, out := filepath.Join(dir, name+".c"), filepath.Join(dir, name+".so")
	if err := os.WriteFile(in, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(compiler, "-shared", "-fPIC", "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}
