package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"cairn/internal/event"
	"cairn/internal/sharedtest"
)

// realHistory imports the recorded history of a real project.
func realHistory(t *testing.T) *repo {
	t.Helper()
	recorded, err := os.Open(sharedtest.Path(t, "data", "flux2.fast-export.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer recorded.Close()
	stream, err := zstd.NewReader(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	r := &repo{t, filepath.Join(t.TempDir(), "flux2.git")}
	run(t, "", "init", "--quiet", "--bare", r.dir)
	load := exec.Command("git", "-C", r.dir, "fast-import", "--quiet")
	load.Stdin = stream
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	return r
}

func TestRealHistoryAgreesWithGit(t *testing.T) {
	r := realHistory(t)
	cfg := r.config()
	cfg.Service = "flux2"
	got := collect(t, cfg, "")
	commits := got.commits(t)

	// Every commit with its parents, dates and paths, as git itself lists them.
	if n := r.git("rev-list", "--all", "--count"); n != strconv.Itoa(len(commits)) {
		t.Errorf("%d commits, git counts %s", len(commits), n)
	}
	for line := range strings.Lines(r.git("log", "--all", "--format=%H %at %ct %P")) {
		words := strings.Fields(line)
		c := commits[words[0]]
		if c == nil {
			t.Fatalf("commit %s is missing", words[0])
		}
		if strings.Join(c.Parents, " ") != strings.Join(words[3:], " ") ||
			strconv.FormatInt(c.AuthoredAt.Unix(), 10) != words[1] || strconv.FormatInt(c.CommittedAt.Unix(), 10) != words[2] {
			t.Errorf("commit %+v, git says %s", c, line)
		}
	}
	touched := map[string][]string{}
	sha := ""
	for line := range strings.Lines(run(t, r.git("rev-list", "--all", "--no-merges")+"\n", "-C", r.dir, "diff-tree", "--stdin", "--root", "-r", "--name-only", "--no-renames")) {
		if line = strings.TrimSuffix(line, "\n"); len(line) == 40 && commits[line] != nil {
			sha = line
		} else {
			touched[sha] = append(touched[sha], line)
		}
	}
	merges := 0
	for sha, c := range commits {
		if len(c.Parents) > 1 {
			merges++
		}
		if diff := cmp.Diff(strings.Join(touched[sha], "\n"), strings.Join(c.Paths, "\n")); diff != "" {
			t.Errorf("paths of %s (-git +collector):\n%s", sha, diff)
		}
	}
	if want := r.git("rev-list", "--all", "--merges", "--count"); want != strconv.Itoa(merges) {
		t.Errorf("%d merges, git counts %s", merges, want)
	}

	// Every release tag with its commit and date.
	deployed := map[string]*event.Deployment{}
	for _, d := range of[*event.Deployment](got) {
		deployed[d.ID] = d
	}
	releases, prereleases := 0, 0
	for line := range strings.Lines(r.git("for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname) %(creatordate:unix)", "refs/tags")) {
		words := strings.Fields(line)
		name, commit, date := words[0], words[len(words)-2], words[len(words)-1]
		d := deployed[name]
		if !strings.HasPrefix(name, "v") {
			if d != nil {
				t.Errorf("tag %s is told as a deployment", name)
			}
			continue
		}
		want := "production"
		if strings.Contains(name, "-") {
			want = "prerelease"
			prereleases++
		} else {
			releases++
		}
		if d == nil || d.Environment != want || d.Revisions[0].SHA != commit || strconv.FormatInt(d.FinishedAt.Unix(), 10) != date {
			t.Errorf("tag %s is told as %+v, want %s to %s at %s", name, d, commit, want, date)
		}
	}
	if releases+prereleases != len(deployed) {
		t.Errorf("%d deployments, want %d", len(deployed), releases+prereleases)
	}
	t.Logf("%d commits, %d merges, %d releases, %d pre-releases; notes: %q", len(commits), merges, releases, prereleases, got.report.Notes())
}

func TestRealHistoryByBranchAgreesWithGit(t *testing.T) {
	r := realHistory(t)
	cfg := r.config()
	cfg.Service, cfg.DeployOn = "flux2", "main"
	if r.git("for-each-ref", "refs/heads/main") == "" {
		cfg.DeployOn = "master"
	}
	landed := of[*event.Deployment](collect(t, cfg, ""))
	line := strings.Fields(r.git("rev-list", "--first-parent", "--reverse", cfg.DeployOn))
	if len(landed) != len(line) {
		t.Fatalf("%d deployments, the first-parent line has %d commits", len(landed), len(line))
	}
	for i, d := range landed {
		if d.ID != line[i] {
			t.Fatalf("deployment %d is %s, want %s", i, d.ID, line[i])
		}
		if i > 0 && !d.FinishedAt.After(landed[i-1].FinishedAt) {
			t.Errorf("deployment %s is not after the one before it", d.ID)
		}
	}
}
