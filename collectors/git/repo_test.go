package git_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/collectors/git"
	"cairn/internal/event"
)

// TestMain keeps the configuration of whoever runs the tests out of them.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x.org", "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@x.org",
		"GIT_AUTHOR_DATE": "1767225600 +0000", "GIT_COMMITTER_DATE": "1767225600 +0000",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// day0 is 2026-01-01T00:00:00Z, when the histories of these tests begin.
const day0 = 1767225600

// repo is a real repository made for a test.
type repo struct {
	t   testing.TB
	dir string
}

// newRepo makes an empty bare repository whose HEAD is main.
func newRepo(t testing.TB, options ...string) *repo {
	t.Helper()
	r := &repo{t, filepath.Join(t.TempDir(), "shop.git")}
	run(t, "", append(append([]string{"init", "--quiet", "--bare", "--initial-branch=main"}, options...), r.dir)...)
	return r
}

// run runs git and returns what it prints, without the last newline.
func run(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	return run(r.t, "", append([]string{"-C", r.dir}, args...)...)
}

// object writes an object as it is, however malformed, and returns its sha.
func (r *repo) object(kind, content string) string {
	r.t.Helper()
	return run(r.t, content, "-C", r.dir, "hash-object", "-t", kind, "-w", "--stdin", "--literally")
}

// spec is one commit of a history.
type spec struct {
	branch  string // default main
	from    string // default: what the branch points to; "-" begins a new root
	merge   []string
	author  string // default "A <a@x.org>"
	at      int64  // authored, seconds after day0
	landed  int64  // committed, seconds after day0; default: at
	message string
	files   map[string]string // "" removes the file
}

// commit adds one commit by fast-import and returns its sha.
func (r *repo) commit(s spec) string {
	r.t.Helper()
	h := newHistory()
	h.commit(s)
	return r.load(h)[0]
}

// load imports a history and returns the shas of its commits in order.
func (r *repo) load(h *history) []string {
	r.t.Helper()
	marks := filepath.Join(r.t.TempDir(), "marks")
	run(r.t, h.String(), "-C", r.dir, "fast-import", "--quiet", "--force", "--date-format=raw-permissive", "--export-marks="+marks)
	shas := make([]string, h.commits)
	f, err := os.Open(marks)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var mark int
		var sha string
		if _, err := fmt.Sscanf(lines.Text(), ":%d %s", &mark, &sha); err != nil {
			r.t.Fatal(err)
		}
		shas[mark-1] = sha
	}
	return shas
}

// history is a stream for git fast-import.
type history struct {
	strings.Builder
	commits int
	heads   map[string]string
}

func newHistory() *history { return &history{heads: map[string]string{}} }

// commit adds a commit and returns its mark, which from and merge of later ones may name.
func (h *history) commit(s spec) string {
	h.commits++
	mark := fmt.Sprintf(":%d", h.commits)
	if s.branch == "" {
		s.branch = "main"
	}
	ref := "refs/heads/" + s.branch
	if s.author == "" {
		s.author = "A <a@x.org>"
	}
	if s.landed == 0 {
		s.landed = s.at
	}
	switch {
	case s.from == "-":
		s.from = ""
		fmt.Fprintf(h, "reset %s\n\n", ref)
	case s.from == "" && h.heads[ref] != "":
		s.from = h.heads[ref]
	case s.from == "":
		s.from = ref + "^0"
	}
	fmt.Fprintf(h, "commit %s\nmark %s\nauthor %s %d +0000\ncommitter C <c@x.org> %d +0000\ndata %d\n%s\n",
		ref, mark, s.author, day0+s.at, day0+s.landed, len(s.message), s.message)
	if s.from != "" {
		fmt.Fprintf(h, "from %s\n", s.from)
	}
	for _, m := range s.merge {
		fmt.Fprintf(h, "merge %s\n", m)
	}
	for path, content := range s.files {
		if content == "" {
			fmt.Fprintf(h, "D %s\n", path)
			continue
		}
		fmt.Fprintf(h, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
	}
	h.WriteString("\n")
	h.heads[ref] = mark
	return mark
}

// root is a spec for the first commit of a branch.
func root(branch string) spec {
	return spec{branch: branch, from: "-", message: "begin", files: map[string]string{"README": "hello"}}
}

// config is the setting that most tests use.
func (r *repo) config() git.Config {
	cfg := git.DefaultConfig()
	cfg.Location, cfg.Service = r.dir, "shop"
	return cfg
}

// told is what a run told.
type told struct {
	events   []event.Event
	position string
	report   git.Report
}

// collect runs the collector to its end; every event must be valid.
func collect(t testing.TB, cfg git.Config, position string) told {
	t.Helper()
	got, err := tryCollect(t, cfg, position)
	if err != nil {
		t.Fatalf("collecting: %v", err)
	}
	return got
}

func tryCollect(t testing.TB, cfg git.Config, position string) (told, error) {
	t.Helper()
	source, err := git.New(cfg, position, nil)
	if err != nil {
		return told{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var got told
	for e, err := range source.Events(ctx) {
		if err != nil {
			if source.Position() != position {
				t.Errorf("the position moved in spite of an error")
			}
			return got, err
		}
		if wrong := event.Validate(e); wrong != nil {
			t.Fatalf("an event that intake would refuse: %v\n%s", wrong, event.AppendJSON(nil, e))
		}
		got.events = append(got.events, e)
	}
	got.position, got.report = source.Position(), source.Report()
	return got, nil
}

// of returns the events of one kind.
func of[E event.Event](g told) []E {
	var list []E
	for _, e := range g.events {
		if e, ok := e.(E); ok {
			list = append(list, e)
		}
	}
	return list
}

// commits returns the commits by sha; none is told twice.
func (g told) commits(t testing.TB) map[string]*event.Commit {
	t.Helper()
	m := map[string]*event.Commit{}
	for _, c := range of[*event.Commit](g) {
		if m[c.SHA] != nil {
			t.Errorf("commit %s is told twice", c.SHA)
		}
		m[c.SHA] = c
	}
	return m
}

// deployments lists the deployments as "id environment/tier sha6 time updated", sorted.
func (g told) deployments() []string {
	list := []string{}
	for _, d := range of[*event.Deployment](g) {
		environment := d.Environment
		if d.Tier != "" {
			environment += "/" + d.Tier
		}
		list = append(list, fmt.Sprintf("%s %s %.6s %s", d.ID, environment, d.Revisions[0].SHA, d.FinishedAt.Format("2006-01-02T15:04:05.999")))
	}
	slices.Sort(list)
	return list
}

// at is an instant of these tests.
func at(seconds int64) time.Time { return time.Unix(day0+seconds, 0).UTC() }

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
