package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"cairn/internal/sharedtest"
)

// The numbers of a real repository equal what a few lines over git rev-list say: each release tag ships what it
// reaches and no earlier one did, and takes as long as from the earlier of a commit's two dates.
func TestARealHistoryAgainstRevList(t *testing.T) {
	dir := folder(t)
	repo := realHistory(t, dir)
	must(t, dir, "collect", "git", repo, "--service", "flux2")
	window := []string{"--service", "flux2", "--from", "2024-01-01", "--to", "2026-01-01", "--bucket", "month"}
	lead := ask1(t, dir, append([]string{"lead_time"}, window...)...)
	count := ask1(t, dir, append([]string{"deployment_count"}, window...)...)

	leads, deployments := revList(t, repo)
	var all []float64
	total := 0
	for i, p := range lead.Series {
		all = append(all, leads[p.Label]...)
		total += deployments[p.Label]
		if got, want := p.Value, r7(leads[p.Label]); !same(got, want) || p.N != float64(len(leads[p.Label])) {
			t.Errorf("lead time %s: got %v of %v, want %v of %d", p.Label, got, p.N, want, len(leads[p.Label]))
		}
		if got, want := count.Series[i].Value, float64(deployments[p.Label]); got != want {
			t.Errorf("deployments %s: got %v, want %v", p.Label, got, want)
		}
	}
	if len(lead.Series) != 24 || total < 10 || len(all) < 100 {
		t.Errorf("%d months with %d deployments and %d changes: too few for a check", len(lead.Series), total, len(all))
	}
	if !same(lead.Value, r7(all)) || lead.N != float64(len(all)) || count.Value != float64(total) {
		t.Errorf("two years: got %v of %v and %v deployments, want %v of %d and %d", lead.Value, lead.N, count.Value, r7(all), len(all), total)
	}
}

func same(got any, want float64) bool {
	v, ok := got.(float64)
	return !ok && math.IsNaN(want) || ok && math.Abs(v-want) <= 1e-9*math.Abs(want)
}

func r7(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	h := float64(len(values)-1) / 2
	lo := int(h)
	return values[lo] + (h-float64(lo))*(values[min(lo+1, len(values)-1)]-values[lo])
}

var release = regexp.MustCompile(`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(\+[0-9A-Za-z.-]+)?$`)

// revList gives, for each month, the lead times in hours and the number of first-time versions.
func revList(t *testing.T, repo string) (leads map[string][]float64, deployments map[string]int) {
	type tag struct {
		name, sha string
		at        int64
	}
	var tags []tag
	for line := range strings.Lines(runGit(t, repo, "for-each-ref", "--format=%(refname:short)%09%(objectname)%09%(*objectname)%09%(creatordate:unix)", "refs/tags")) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if !release.MatchString(f[0]) {
			continue
		}
		at, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, tag{f[0], cmp.Or(f[2], f[1]), at})
	}
	slices.SortFunc(tags, func(a, b tag) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.name, b.name)) })
	leads, deployments = map[string][]float64{}, map[string]int{}
	args := []string{"log", "--no-merges", "--format=%at %ct"}
	var live []string
	for _, x := range tags {
		month := time.Unix(x.at, 0).UTC().Format("2006-01")
		if !slices.Contains(live, x.sha) {
			deployments[month]++
		}
		out := ""
		if len(live) > 0 { // the first is the baseline
			out = runGit(t, repo, append(append(slices.Clone(args), x.sha, "--not"), live...)...)
		}
		live = append(live, x.sha)
		for line := range strings.Lines(out) {
			var authored, committed int64
			if _, err := fmt.Sscan(line, &authored, &committed); err != nil {
				t.Fatal(err)
			}
			if s := x.at - min(authored, committed); s >= -300 {
				leads[month] = append(leads[month], float64(max(s, 0))/3600)
			}
		}
	}
	return leads, deployments
}

func runGit(t *testing.T, repo string, args ...string) string {
	t.Helper()
	c := exec.Command("git", append([]string{"-C", repo}, args...)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, &stderr)
	}
	return string(out)
}

// realHistory imports the shared history into a bare repository.
func realHistory(t *testing.T, dir string) string {
	packed := sharedtest.Path(t, filepath.Join("data", "flux2.fast-export.zst"))
	repo := filepath.Join(dir, "flux2.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", repo).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	f, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stream, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	c := exec.Command("git", "-C", repo, "fast-import", "--quiet")
	c.Stdin = stream
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	return repo
}
