package git

import (
	"fmt"
	"slices"
	"strings"
)

// Report is what a run found, for people: how much was told, and what was left out and why.
type Report struct {
	Repository   string
	Branch       string // the default branch, "" when the repository does not say
	Shallow      bool
	Commits      int
	Deployments  int
	Environments []Count // deployments told, by environment
	Tags         []Count // all tags of the repository, by what they are; only when deployments are read from tags
	Undated      int     // commits with a time that cannot be
	Unlisted     int     // commits that touch too many files to list
}

// Count is how many things are of one kind, with the first few of their names.
type Count struct {
	What     string
	N        int
	Examples []string
}

// examples is how many names a count keeps.
const examples = 3

// count adds one thing to the list of counts.
func count(counts []Count, what, name string) []Count {
	i := slices.IndexFunc(counts, func(c Count) bool { return c.What == what })
	if i < 0 {
		counts = append(counts, Count{What: what})
		i = len(counts) - 1
	}
	counts[i].N++
	if name != "" && len(counts[i].Examples) < examples {
		counts[i].Examples = append(counts[i].Examples, name)
	}
	return counts
}

func (r *Report) in(environment string)    { r.Environments = count(r.Environments, environment, "") }
func (r *Report) tag(c class, name string) { r.Tags = count(r.Tags, string(c), clip(name, maxText)) }
func (r *Report) tags(c class) (n int, eg string) {
	for _, t := range r.Tags {
		if t.What == string(c) {
			return t.N, strings.Join(t.Examples, ", ")
		}
	}
	return 0, ""
}

// Notes returns a sentence for each thing that a person may want to know or do something about.
func (r Report) Notes() []string {
	var notes []string
	note := func(n int, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	if r.Branch == "" {
		notes = append(notes, "The repository does not say which branch is its default, so nothing counts as merged: name one with --branch.")
	}
	if r.Shallow {
		notes = append(notes, "The clone is shallow: lead times of changes near its cut are too short or missing.")
	}
	n, eg := r.tags(classNoVersion)
	note(n, "%s no semantic version and no deployment, such as %s: --tag-pattern takes other names.", tags(n), eg)
	n, eg = r.tags(classOther)
	note(n, "%s of another component than the service, such as %s: --tag-pattern takes other names.", tags(n), eg)
	n, eg = r.tags(classUnmatched)
	note(n, "%s not in the tag pattern, such as %s.", tags(n), eg)
	n, eg = r.tags(classNoCommit)
	note(n, "%s no commit but a tree or a file, such as %s.", tags(n), eg)
	note(r.Undated, "Commits with a date that cannot be: %d. The other of their two dates stands for it.", r.Undated)
	note(r.Unlisted, "Commits that touch more than %d files: %d. Their files are not listed.", maxPaths, r.Unlisted)
	return notes
}

// tags is the beginning of a sentence about n tags.
func tags(n int) string {
	if n == 1 {
		return "1 tag is"
	}
	return fmt.Sprintf("%d tags are", n)
}
