package owners

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Bounds of what is read of one repository.
const (
	maxFiles   = 100 // files of the catalogue, beside the first
	maxDepth   = 5   // Locations behind one another
	maxTarget  = 1000
	maxTargets = 1000 // of all Locations together
)

// Repository is what the files of a repository's catalogue are read from: its default branch.
type Repository struct {
	// Pages are the addresses of its pages, such as https://github.com/acme/shop, and Raw those below which its files lie
	// as they are, such as https://raw.githubusercontent.com/acme/shop.
	Pages, Raw []string
	// Branch is the name of the default branch; "" where it is not known: then only HEAD stands for it in an address.
	Branch string
	// File is the text of a file; "" where there is none.
	File func(ctx context.Context, path string) (string, error)
	// List are paths of files, among them all that lie in a folder ("": the root) and, where deep, in those below it. Where
	// it is not deep, folders may be among them, with a slash at their ends. Whole says that no path is missing.
	List func(ctx context.Context, folder string, deep bool) (paths []string, whole bool, err error)
}

// Described is a component with the folder of the file that describes it; "" is the root.
type Described struct {
	Component
	Folder string
}

// Left is a target of a Location that was not followed.
type Left struct {
	Target string
	Why    string // the end of "a target that …"; names no single thing
}

// Why a target was not followed.
const (
	elsewhere = "lies elsewhere"
	notYAML   = "is no YAML file"
	tooMany   = "is one too many: a hundred files are read"
	tooDeep   = "lies behind more than five Locations"
	unlisted  = "is a pattern: the repository has too many files to list"
)

// Catalogue is what the files of a repository's catalogue say.
type Catalogue struct {
	Components []Described // of two of a name the first
	Left       []Left
	// Part says that files were left out for their number: what is not among the components may be there all the same.
	Part bool
}

// maxLeft bounds how many targets that were not followed are remembered.
const maxLeft = 100

// Unfollowed are the targets that were not followed, up to a hundred, each once. Those that are not among the ones of the look
// before are counted, as what a rule was applied to.
func (c Catalogue) Unfollowed(before []string, applied func(rule, example string)) []string {
	var all []string
	for _, l := range c.Left {
		if len(all) == maxLeft || slices.Contains(all, l.Target) {
			continue
		}
		all = append(all, l.Target)
		if !slices.Contains(before, l.Target) {
			applied("catalog-info.yaml: a target that "+l.Why, l.Target)
		}
	}
	return all
}

// Read reads a file of the catalogue and, as its Locations say, those of the same repository that belong to it: by a path
// from the file that names them, by a pattern, or by an address. What lies elsewhere is not followed, and no file is read
// twice. Errors are those of the repository.
func (r Repository) Read(ctx context.Context, first string) (Catalogue, error) {
	type file struct {
		path  string
		depth int
	}
	var c Catalogue
	queue, known, names, targets := []file{{first, 0}}, map[string]bool{first: true}, map[string]bool{}, 0
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		text, err := r.File(ctx, at.path)
		if err != nil {
			return Catalogue{}, err
		}
		components, locations := read(text)
		folder := strings.TrimPrefix(path.Dir(at.path), ".")
		for _, component := range components {
			if name := strings.ToLower(component.Name); !names[name] {
				names[name] = true
				c.Components = append(c.Components, Described{component, folder})
			}
		}
		for _, l := range locations {
			leave := func(why string) {
				c.Left = append(c.Left, Left{Target: clip(l.target), Why: why})
				c.Part = c.Part || why == tooMany || why == unlisted
			}
			if targets++; targets > maxTargets {
				leave(tooMany)
				break
			}
			pattern, here := r.resolve(folder, l)
			switch {
			case !here:
				leave(elsewhere)
				continue
			case !strings.HasSuffix(pattern, ".yaml") && !strings.HasSuffix(pattern, ".yml"):
				leave(notYAML)
				continue
			case at.depth == maxDepth:
				leave(tooDeep)
				continue
			}
			paths, whole, err := r.matching(ctx, pattern)
			if err != nil {
				return Catalogue{}, err
			}
			if !whole {
				leave(unlisted)
			}
			for _, p := range paths {
				if known[p] {
					continue
				}
				if len(known) > maxFiles {
					leave(tooMany)
					break
				}
				known[p] = true
				queue = append(queue, file{p, at.depth + 1})
			}
		}
	}
	return c, nil
}

// resolve is the path, or the pattern of paths, of a target that a file in a folder names; here says that it is one of this
// repository.
func (r Repository) resolve(folder string, l location) (pattern string, here bool) {
	if l.kind != "" && l.kind != "url" && l.kind != "file" || len(l.target) > maxTarget || strings.ContainsFunc(l.target, func(c rune) bool { return c < ' ' }) {
		return "", false
	}
	target := l.target
	if address, is := strings.CutPrefix(target, "url:"); is {
		target = address
	}
	target = strings.TrimPrefix(target, "file:")
	switch {
	case strings.Contains(target, "://"):
		if target, here = r.own(target); !here {
			return "", false
		}
	case strings.HasPrefix(target, "/") && l.kind == "file": // of the machine that the catalogue runs on
		return "", false
	case strings.HasPrefix(target, "/"):
		target = unescaped(target[1:])
	default:
		target = path.Join(folder, unescaped(target))
	}
	if target = strings.TrimPrefix(path.Clean(target), "/"); target == "." || target == ".." || strings.HasPrefix(target, "../") {
		return "", false
	}
	return target, true
}

// unescaped is a path as it is, of one in an address.
func unescaped(p string) string {
	if plain, err := url.PathUnescape(p); err == nil && !strings.ContainsFunc(plain, func(c rune) bool { return c < ' ' }) {
		return plain
	}
	return p
}

// own is the path in an address of a file on the default branch of the repository.
func (r Repository) own(address string) (string, bool) {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	below := func(page string) (string, bool) {
		_, page, _ = strings.Cut(strings.TrimSuffix(page, "/"), "://")
		_, at, _ := strings.Cut(address, "://")
		at = strings.TrimPrefix(at, "www.")
		if page == "" || len(at) <= len(page) || !strings.EqualFold(at[:len(page)], page) || at[len(page)] != '/' {
			return "", false
		}
		return at[len(page)+1:], true
	}
	onBranch := func(rest string) (string, bool) {
		rest = strings.TrimPrefix(unescaped(rest), "refs/heads/")
		for _, branch := range []string{r.Branch, "HEAD"} {
			if p, is := strings.CutPrefix(rest, branch+"/"); is && branch != "" {
				return p, true
			}
		}
		return "", false
	}
	for _, page := range r.Raw {
		if rest, is := below(page); is {
			return onBranch(rest)
		}
	}
	for _, page := range r.Pages {
		rest, is := below(page)
		if !is {
			continue
		}
		kind, rest, _ := strings.Cut(strings.TrimPrefix(rest, "-/"), "/")
		if slices.Contains([]string{"blob", "tree", "raw", "edit", "blame"}, kind) {
			return onBranch(rest)
		}
	}
	return "", false
}

// matching are the paths of the files that a pattern fits, in the order of their names; where it is none, the path itself.
// Those with a part that begins with a dot have to be named with it.
func (r Repository) matching(ctx context.Context, pattern string) (paths []string, whole bool, err error) {
	if !strings.ContainsAny(pattern, "*?") {
		return []string{pattern}, true, nil
	}
	if strings.Count(pattern, "{") > 4 || !doublestar.ValidatePattern(pattern) { // choices multiply
		return nil, true, nil
	}
	parts := strings.Split(pattern, "/")
	wild := func(part string) bool { return strings.ContainsAny(part, `*?[{\`) }
	first := slices.IndexFunc(parts, wild)
	rest := parts[first+1:]
	folder, deep := strings.Join(parts[:first], "/"), strings.Contains(pattern, "**") || slices.ContainsFunc(rest, wild)
	listed, whole, err := r.List(ctx, folder, deep)
	if err != nil {
		return nil, false, err
	}
	for _, p := range listed {
		if inner, is := strings.CutSuffix(p, "/"); is {
			if deep || len(rest) == 0 {
				continue
			}
			p = inner + "/" + strings.Join(rest, "/")
		}
		if fits, err := doublestar.Match(pattern, p); err == nil && fits && hidden(p) <= hidden(pattern) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), whole, nil
}

// hidden counts the parts of a path that begin with a dot.
func hidden(p string) int {
	return strings.Count("/"+p, "/.")
}
