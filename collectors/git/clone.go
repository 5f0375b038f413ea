package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/fault"
	"cairn/internal/progress"
)

// fetchRefs are what a cache holds: branches and tags. Other refs of a server, such as those of every pull request ever
// opened, are no part of what was built.
var fetchRefs = []string{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}

// fetch brings the cache of an address up to date, makes it at the first time, and returns the git that reads it. The
// cache is a bare partial clone: commits and trees, no files. Until release is called no other run may touch it.
func fetch(ctx context.Context, program, cacheDir string, loc location, header []string, report progress.Func) (g git, release func(), err error) {
	if cacheDir == "" {
		return git{}, nil, fault.New(fault.Invalid, "no cache folder is given to keep a clone of %s in", loc)
	}
	dir, err := filepath.Abs(filepath.Join(cacheDir, cacheName(loc)))
	if err != nil {
		return git{}, nil, fault.Wrap(fault.Invalid, err, "the cache folder %s", cacheDir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return git{}, nil, fault.Wrap(fault.Denied, err, "the cache folder %s", cacheDir)
	}
	unlock, err := lock(dir + ".lock")
	if errors.Is(err, errLocked) {
		return git{}, nil, fault.Replace(fault.Conflict, err, "another run is reading %s in %s: try again when it has ended", loc, dir)
	}
	if err != nil {
		return git{}, nil, fault.Wrap(fault.Denied, err, "the cache folder %s", cacheDir)
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	network := git{program: program, dir: filepath.Dir(dir), name: loc.String(), remote: true, variables: loc.carrying(header)}
	head, format, err := network.remoteHead(ctx, loc)
	if err != nil {
		return git{}, nil, err
	}
	if err := network.initCache(ctx, dir, loc, format); err != nil {
		return git{}, nil, err
	}
	network.dir = dir
	if head != "" {
		if _, err := network.output(ctx, "symbolic-ref", "HEAD", head); err != nil {
			return git{}, nil, err
		}
	}
	if err := network.fetchAll(ctx, report); err != nil {
		return git{}, nil, err
	}
	return git{program: program, dir: dir, name: loc.String()}, unlock, nil
}

// remoteHead asks the server for its default branch, a full ref name or "" when it does not say, and for the object
// format of its repository.
func (g git) remoteHead(ctx context.Context, loc location) (head, format string, err error) {
	answer, err := g.output(ctx, "ls-remote", "--symref", "--end-of-options", loc.url, "HEAD")
	if err != nil {
		return "", "", err
	}
	format = "sha1"
	for line := range strings.SplitSeq(answer, "\n") {
		value, name, _ := strings.Cut(line, "\t")
		if name != "HEAD" {
			continue
		}
		if ref, ok := strings.CutPrefix(value, "ref: "); ok && strings.HasPrefix(ref, "refs/heads/") {
			head = ref
		}
		if len(value) == 64 && isSHA(value) {
			format = "sha256"
		}
	}
	return head, format, nil
}

// initCache makes the cache folder, empty, unless it is there. It is made beside its place and moved, so that it is
// there whole or not at all.
func (g git) initCache(ctx context.Context, dir string, loc location, format string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fault.Wrap(fault.Denied, err, "the cache folder %s", fresh)
	}
	if _, err := g.output(ctx, "init", "--quiet", "--bare", "--template=", "--object-format="+format, "--end-of-options", fresh); err != nil {
		return err
	}
	g.dir = fresh
	for _, pair := range [][2]string{
		{"remote.origin.url", loc.url},
		{"remote.origin.promisor", "true"},
		{"remote.origin.partialclonefilter", "blob:none"},
	} {
		if _, err := g.output(ctx, "config", "--", pair[0], pair[1]); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, dir); err != nil {
		return fault.Wrap(fault.Denied, err, "the cache folder %s", dir)
	}
	return nil
}

// fetchAll fetches what is new and forgets the branches and tags that are gone.
func (g git) fetchAll(ctx context.Context, report progress.Func) error {
	args := []string{
		"-c", "core.hooksPath=" + os.DevNull, "-c", "fetch.writeCommitGraph=true", "-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false",
		"fetch", "--progress", "--force", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "origin",
	}
	cmd := g.command(ctx, append(args, fetchRefs...)...)
	complaint := &tail{}
	cmd.Stderr = &meter{report: report, rest: complaint}
	if err := cmd.Run(); err != nil {
		return g.explain(ctx, err, complaint.String(), []string{"fetch"})
	}
	return nil
}

// errLocked says that another process holds a lock.
var errLocked = errors.New("another process holds the lock")

// cacheName is the folder name of an address: readable, and different for different addresses.
func cacheName(loc location) string {
	readable := regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(loc.host+"-"+loc.name, "-")
	readable = strings.Trim(readable, "-.")
	if len(readable) > 100 {
		readable = readable[:100]
	}
	return fmt.Sprintf("%s-%016x.git", readable, xxhash.Sum64String(loc.url))
}

// meter reads git's progress from its error output and passes the rest on.
type meter struct {
	report progress.Func
	rest   *tail
	line   []byte
}

// received is git's progress over the objects that come in.
var received = regexp.MustCompile(`^Receiving objects: +\d+% \((\d+)/(\d+)\)`)

func (m *meter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexAny(rest, "\r\n")
		if end < 0 {
			m.line = append(m.line, rest...)
			break
		}
		m.take(string(append(m.line, rest[:end]...)))
		m.line, rest = m.line[:0], rest[end+1:]
	}
	return len(p), nil
}

func (m *meter) take(line string) {
	if found := received.FindStringSubmatch(line); found != nil {
		done, _ := strconv.ParseInt(found[1], 10, 64)
		total, _ := strconv.ParseInt(found[2], 10, 64)
		m.report.Report(progress.State{Stage: "objects fetched", Done: done, Total: total})
		return
	}
	_, _ = m.rest.Write([]byte(line + "\n"))
}
