// Package engine pins the embedded engine's library and fetches it. It holds no Go code: these are the tests of the
// script fetch, with a stand-in for npm.
package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// npm stands in for the program: it writes down each call and makes what npm would have installed.
const npm = `#!/bin/sh
echo "$*" >>"$CALLS"
mkdir -p node_modules/@chdb/lib-linux-x64-gnu
sleep 0.1
echo library >node_modules/@chdb/lib-linux-x64-gnu/libchdb.so
`

type machine struct {
	t                   *testing.T
	engine              string // a copy of this folder
	dir, programs, call string
}

// newMachine makes a machine whose only programs are the script's own tools and, unless it is empty, the given npm.
func newMachine(t *testing.T, npm string) *machine {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("nothing is pinned for this machine")
	}
	root := t.TempDir()
	m := &machine{t: t, engine: filepath.Join(root, "engine"), dir: filepath.Join(root, "cache", "engine"),
		programs: filepath.Join(root, "programs"), call: filepath.Join(root, "calls")}
	if err := os.CopyFS(m.engine, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.programs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"cmp", "cp", "dirname", "flock", "mkdir", "mv", "rm", "sh", "sleep", "uname"} {
		found, err := exec.LookPath(tool)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(found, filepath.Join(m.programs, tool)); err != nil {
			t.Fatal(err)
		}
	}
	if npm != "" {
		if err := os.WriteFile(filepath.Join(m.programs, "npm"), []byte(npm), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) fetch() (output string, err error) {
	c := exec.Command(filepath.Join(m.engine, "fetch"), m.dir)
	c.Env = []string{"PATH=" + m.programs, "CALLS=" + m.call}
	b, err := c.CombinedOutput()
	return string(b), err
}

func (m *machine) mustFetch() string {
	m.t.Helper()
	output, err := m.fetch()
	if err != nil {
		m.t.Fatalf("fetch: %v\n%s", err, output)
	}
	return output
}

// calls returns how often npm ran.
func (m *machine) calls() int {
	b, err := os.ReadFile(m.call)
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

func (m *machine) has(name string) bool {
	_, err := os.Stat(filepath.Join(m.dir, name))
	return err == nil
}

// left lists what stands beside the engine and should not.
func (m *machine) left() []string {
	found, err := filepath.Glob(m.dir + ".new.*")
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}

func TestFetchInstallsTheLibraryOnce(t *testing.T) {
	m := newMachine(t, npm)
	m.mustFetch()
	if !m.has("node_modules/@chdb/lib-linux-x64-gnu/libchdb.so") {
		t.Error("the library is not in its place")
	}
	if err := os.Remove(filepath.Join(m.programs, "npm")); err != nil {
		t.Fatal(err)
	}
	if output := m.mustFetch(); output != "" {
		t.Errorf("the second call says %q, want nothing", output)
	}
	if got := m.calls(); got != 1 {
		t.Errorf("npm ran %d times, want once", got)
	}
}

func TestFetchTwiceAtOnceInstallsOnce(t *testing.T) {
	m := newMachine(t, npm)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if output, err := m.fetch(); err != nil {
				t.Errorf("fetch: %v\n%s", err, output)
			}
		})
	}
	both.Wait()
	if got := m.calls(); got != 1 {
		t.Errorf("npm ran %d times, want once", got)
	}
	if got := m.left(); got != nil {
		t.Errorf("left behind: %v", got)
	}
}

func TestFetchFollowsTheLockFile(t *testing.T) {
	m := newMachine(t, npm)
	m.mustFetch()
	lock := filepath.Join(m.engine, "linux-x64-gnu", "package-lock.json")
	if err := os.WriteFile(lock, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.mustFetch()
	if got := m.calls(); got != 2 {
		t.Errorf("npm ran %d times, want twice", got)
	}
}

func TestFetchClearsWhatAKilledOneLeft(t *testing.T) {
	m := newMachine(t, npm)
	if err := os.MkdirAll(m.dir+".new.1/node_modules", 0o755); err != nil {
		t.Fatal(err)
	}
	m.mustFetch()
	if got := m.left(); got != nil {
		t.Errorf("left behind: %v", got)
	}
}

func TestFetchSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		name, npm, want string
		spoil           func(m *machine)
	}{
		{name: "no npm", want: "engine: npm is missing"},
		{name: "npm fails", npm: "#!/bin/sh\nmkdir node_modules\necho npm: no network\nexit 1\n", want: "npm: no network\nengine: npm could not fetch"},
		{name: "another kind of machine", npm: npm, want: "engine: no engine is pinned for linux-x64-gnu", spoil: func(m *machine) {
			if err := os.RemoveAll(filepath.Join(m.engine, "linux-x64-gnu")); err != nil {
				m.t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, tt.npm)
			if tt.spoil != nil {
				tt.spoil(m)
			}
			output, err := m.fetch()
			if err == nil {
				t.Error("fetch succeeds")
			}
			if !strings.Contains(output, tt.want) {
				t.Errorf("got %q, want it to contain %q", output, tt.want)
			}
			if m.has("") || m.left() != nil {
				t.Error("something was left behind")
			}
		})
	}
}
