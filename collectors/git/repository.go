package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/fault"
)

// repository is what is known of a repository before its history is read: one look at its refs, by which the whole run
// goes even when they move meanwhile.
type repository struct {
	git      git
	resolver *resolver
	url      string              // public address, "" when there is none
	cut      map[string][]string // commits at which a shallow history ends, with their true parents; nil when it is whole
	heads    map[string]head     // by full ref name: refs/heads/…, refs/remotes/…
	tags     []tag               // by name
	origin   string              // full name of the branch that the origin of a clone prefers, "" when git has not noted it
	branch   string              // short name of the default branch, "" when nobody can tell
	ref      string              // its full ref name
}

// head is a branch's commit.
type head struct {
	sha       string
	committed string // git's word
}

// tag is one tag as git shows it.
type tag struct {
	name   string
	object string // sha of what it names: a tag object or a commit
	commit string // sha of the commit that it leads to, "" when that is something else
	at     string // seconds since 1970: of the tag object, else ""
	wrote  string // seconds since 1970 of the commit, "" when a nested tag hides it
	tagger string // e-mail address, "" for a lightweight tag
	nested bool   // it names a tag
}

// ErrEmpty says that nothing was ever pushed to a repository. It is in the chain of a fault.NotFound.
var ErrEmpty = errors.New("the repository has no commits yet")

// oldestGit is the first version that knows every option used here.
const oldestGit = "2.29"

// open looks at the repository and refuses what would give wrong numbers.
func open(ctx context.Context, g git, resolver *resolver, cfg Config) (*repository, error) {
	info, err := os.Stat(g.dir)
	switch {
	case os.IsNotExist(err):
		return nil, fault.New(fault.NotFound, "there is no folder %s", g.name)
	case os.IsPermission(err):
		return nil, fault.Replace(fault.Denied, err, "%s may not be read by this user", g.name)
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "%s", g.name)
	case !info.IsDir():
		return nil, fault.New(fault.Invalid, "%s is a file: give the folder of a repository", g.name)
	}
	shallow, err := g.output(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	if shallow != "true" && shallow != "false" { // git prints options that it does not know
		return nil, fault.New(fault.Unavailable, "the program %s is too old: version %s or later is needed", g.program, oldestGit)
	}
	r := &repository{git: g, resolver: resolver, heads: map[string]head{}}
	if err := r.readRemotes(ctx); err != nil {
		return nil, err
	}
	if shallow == "true" {
		if !cfg.AllowShallow {
			return nil, fault.New(fault.Conflict, "%s is a shallow clone: the lead times of changes near its cut would be wrong; "+
				"run git fetch --unshallow in it, or accept that with --allow-shallow", g.name)
		}
		if r.cut, err = r.boundary(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.readRefs(ctx); err != nil {
		return nil, err
	}
	if len(r.heads) == 0 && !slices.ContainsFunc(r.tags, func(t tag) bool { return t.commit != "" }) {
		return nil, fault.Replace(fault.NotFound, ErrEmpty, "%s has no commits yet: there is nothing to collect", g.name)
	}
	if err := r.findDefault(ctx, cfg.Branch); err != nil {
		return nil, err
	}
	if r.ref == "" && cfg.DefaultBranchOnly {
		return nil, fault.New(fault.NotFound, "%s does not say which branch is its default: name one with --branch; it has %s", g.name, r.someBranches())
	}
	return r, nil
}

// readRemotes notes the origin's address and refuses a partial clone that has no trees: git would fetch them one by
// one, commit after commit. One that only lacks files (blob:none) has all that is needed.
func (r *repository) readRemotes(ctx context.Context) error {
	variables, err := r.git.output(ctx, "config", "-z", "--get-regexp", `^remote\..*\.(url|partialclonefilter)$`)
	if err != nil && exitCode(err) != 1 {
		return err
	}
	for entry := range strings.SplitSeq(variables, "\x00") {
		name, value, _ := strings.Cut(entry, "\n")
		if name == "remote.origin.url" {
			r.url = public(value)
		}
		if !strings.HasSuffix(name, ".partialclonefilter") {
			continue
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(value, "combine:"), "+") {
			if plain, err := url.PathUnescape(part); err == nil {
				part = plain
			}
			if strings.HasPrefix(part, "tree:") || strings.HasPrefix(part, "object:type=") {
				return fault.New(fault.Conflict, "%s is a partial clone without trees (filter %s), so the paths that commits touch are not in it: "+
					"run git fetch --refetch --filter=blob:none in it", r.git.name, value)
			}
		}
	}
	return nil
}

// boundary reads where a shallow history was cut off. git shows the commits there as if they had no parents; their own
// text still names them.
func (r *repository) boundary(ctx context.Context) (map[string][]string, error) {
	path, err := r.git.output(ctx, "rev-parse", "--git-path", "shallow")
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.git.dir, path)
	}
	list, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the list of where the shallow clone %s ends", r.git.name)
	}
	cut := map[string][]string{}
	err = r.git.stream(ctx, strings.NewReader(string(list)), func(out *bufio.Reader) error {
		for {
			header, err := out.ReadString('\n')
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			words := strings.Fields(header) // sha, type, size; or a sha that is missing
			if len(words) != 3 {
				continue
			}
			size, err := strconv.Atoi(words[2])
			if err != nil {
				return fmt.Errorf("git cat-file: %w", err)
			}
			text := make([]byte, size+1)
			if _, err := io.ReadFull(out, text); err != nil {
				return err
			}
			cut[words[0]] = parentsOf(string(text))
		}
	}, "cat-file", "--batch")
	return cut, err
}

// parentsOf reads the parents in the text of a commit.
func parentsOf(text string) []string {
	parents := []string{}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			break
		}
		if sha, ok := strings.CutPrefix(line, "parent "); ok && isSHA(sha) {
			parents = append(parents, sha)
		}
	}
	return parents
}

// cutHash identifies where a shallow history ends, "" for a whole one.
func (r *repository) cutHash() string {
	if len(r.cut) == 0 {
		return ""
	}
	shas := make([]string, 0, len(r.cut))
	for sha := range r.cut {
		shas = append(shas, sha)
	}
	slices.Sort(shas)
	return strconvHex(xxhash.Sum64String(strings.Join(shas, "\n")))
}

// refFormat lists a ref in fields that end in NUL, on a line. What a tag names is shown peeled once.
const refFormat = "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00" +
	"%(committerdate:unix)%00%(*committerdate:unix)%00%(taggerdate:unix)%00%(taggeremail)%00%(symref)%00"

// readRefs reads branches, remote-tracking branches and tags.
func (r *repository) readRefs(ctx context.Context) error {
	err := r.git.stream(ctx, nil, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString('\n')
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			fields := strings.Split(line, "\x00")
			if len(fields) != 11 {
				return fmt.Errorf("git for-each-ref: a line with %d fields", len(fields))
			}
			r.add(fields)
		}
	}, "for-each-ref", "--format="+refFormat, "refs/heads", "refs/remotes", "refs/tags")
	if err != nil {
		return err
	}
	for i := range r.tags {
		if t := &r.tags[i]; t.nested {
			if t.commit, err = r.resolver.commit(t.object); err != nil {
				return err
			}
		}
	}
	return nil
}

// add takes one line of refFormat.
func (r *repository) add(f []string) {
	ref, kind, object, peeledKind, peeled := f[0], f[1], f[2], f[3], f[4]
	name, isTag := strings.CutPrefix(ref, "refs/tags/")
	if !isTag {
		switch {
		case ref == "refs/remotes/origin/HEAD":
			r.origin = f[9]
		case kind == "commit":
			r.heads[ref] = head{object, f[5]}
		}
		return
	}
	t := tag{name: name, object: object}
	switch {
	case kind == "commit":
		t.commit, t.wrote = object, f[5]
	case kind == "tag":
		t.at, t.tagger, t.nested = f[7], strings.Trim(f[8], "<>"), peeledKind == "tag"
		if peeledKind == "commit" {
			t.commit, t.wrote = peeled, f[6]
		}
	}
	r.tags = append(r.tags, t)
}

// findDefault finds the default branch: the one that the user names, else the one that the origin of a clone has, else
// the one that the repository's HEAD names, else main, master or the only one.
func (r *repository) findDefault(ctx context.Context, named string) error {
	if named != "" {
		ref, err := r.find(named)
		if err != nil {
			return err
		}
		r.branch, r.ref = short(ref), ref
		return nil
	}
	candidates := []string{r.origin}
	// A clone for a build often has some branch checked out and does not note which one the origin prefers.
	candidates = append(candidates, "refs/remotes/origin/main", "refs/remotes/origin/master")
	checkedOut, err := r.git.output(ctx, "symbolic-ref", "--quiet", "HEAD")
	if err != nil && exitCode(err) != 1 {
		return err
	}
	candidates = append(candidates, checkedOut, "refs/heads/main", "refs/heads/master")
	for _, ref := range candidates {
		if _, ok := r.heads[ref]; ok {
			r.branch, r.ref = short(ref), ref
			return nil
		}
	}
	if len(r.heads) == 1 {
		for ref := range r.heads {
			r.branch, r.ref = short(ref), ref
		}
	}
	return nil
}

// find returns the full name of a branch: as the origin has it where there is one, else the repository's own.
func (r *repository) find(branch string) (string, error) {
	candidates := []string{"refs/remotes/origin/" + branch, "refs/heads/" + branch}
	if strings.HasPrefix(branch, "refs/") {
		candidates = []string{branch}
	}
	for _, ref := range candidates {
		if _, ok := r.heads[ref]; ok {
			return ref, nil
		}
	}
	return "", fault.New(fault.NotFound, "%s has no branch %s; it has %s", r.git.name, branch, r.someBranches())
}

// someBranches lists a few of the branches for a message.
func (r *repository) someBranches() string {
	var names []string
	for ref := range r.heads {
		if name := short(ref); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	const few = 8
	if extra := len(names) - few; extra > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), extra)
	}
	return strings.Join(names, ", ")
}

// short is the name of a branch without the folder of its ref.
func short(ref string) string {
	for _, prefix := range []string{"refs/heads/", "refs/remotes/origin/", "refs/remotes/"} {
		if name, ok := strings.CutPrefix(ref, prefix); ok {
			return name
		}
	}
	return ref
}
