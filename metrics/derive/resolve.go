package derive

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"cairn/internal/revision"
	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// Rules by which the source commit of a run is found, in the order in which they are tried. The first three are the
// producer's own: it names the commit and says where it has it from.
const (
	byCommit         = "commit"
	byOriginRevision = "origin_revision"
	byImageLabel     = "image_label"
	byArtifact       = "artifact"    // what was deployed is an artifact whose commit was told
	byImageTag       = "image_tag"   // the tag of an image is, or contains, a commit of the service's repositories
	byReleaseTag     = "release_tag" // the tag of an image, or the version, is a release of the service's repositories
)

// named is a revision as the run's producer told it.
type named struct {
	attribution.Revision
	config bool
	rule   string
}

// release is an artifact as told.
type release struct {
	ID         string `ch:"id"`
	Digest     string `ch:"digest"`
	Version    string `ch:"version_name"`
	Repository string `ch:"repository"`
	SHA        string `ch:"sha"`
}

// settled says that the producer named the whole commit, as most do: nothing is to be found.
func (r *run) settled() bool {
	if len(r.named) == 0 {
		return r.VersionName == "" && r.Artifact == "" && len(r.images) == 0
	}
	source := false
	for i := range r.named {
		n := &r.named[i]
		source = source || !n.config
		if !n.config && !revision.IsCommit(n.SHA) {
			return false
		}
	}
	return source
}

// findCommits finds the commits that runs carried where their producers did not tell them whole: by what was built of
// which commit, and by the names of commits in the tags of images. It depends on the facts alone, not on when which came.
// looked says that some were not told whole, so that other repositories than those that runs name may be theirs.
func (d *Deriver) findCommits(ctx context.Context, svc *service, runs []*run, repos map[string]*repository) (looked bool, err error) {
	var open []*run
	for _, r := range runs {
		if r.settled() {
			r.adopt(r.asTold(), r.rule())
			continue
		}
		open = append(open, r)
	}
	if len(open) == 0 {
		return false, nil
	}
	f, err := d.newFinder(ctx, svc, open, repos)
	if err != nil {
		return false, err
	}
	for _, r := range open {
		r.adopt(f.find(r))
	}
	return true, nil
}

// adopt gives a run its revisions.
func (r *run) adopt(revisions []attribution.Revision, rule string) {
	if rule != r.FoundBy || !slices.Equal(revisions, r.Revisions) {
		r.Revisions, r.FoundBy, r.hash = revisions, rule, 0
	}
}

// asTold are the revisions as the producer told them, rule the first of a source.
func (r *run) asTold() []attribution.Revision {
	var list []attribution.Revision
	for i := range r.named {
		list = append(list, r.named[i].Revision)
	}
	return list
}

func (r *run) rule() string {
	for i := range r.named {
		if !r.named[i].config {
			return r.named[i].rule
		}
	}
	return ""
}

// finder knows what the open runs of a service name.
type finder struct {
	name     string   // the service, without what stands before a /
	parts    []string // the repositories of the service
	artifact map[string]release
	releases map[[2]string]release        // by repository and version, as told
	commits  map[string]map[string]string // repository -> beginning of a name -> commit, "" for several
	repos    map[string]*repository
}

func (d *Deriver) newFinder(ctx context.Context, svc *service, open []*run, repos map[string]*repository) (*finder, error) {
	f := &finder{name: lastPart(svc.id), artifact: map[string]release{}, releases: map[[2]string]release{}, commits: map[string]map[string]string{}, repos: repos}
	for _, p := range svc.parts {
		f.parts = append(f.parts, p.repository)
	}
	slices.Sort(f.parts)
	f.parts = slices.Compact(f.parts)
	names, versions, asked := map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	released := func(version string, names ...string) {
		for _, spelling := range spellings(version, names...) {
			versions[spelling] = true
		}
	}
	ask := func(repository, text string) {
		for _, beginning := range revision.CommitsOf(text) {
			if asked[repository] == nil {
				asked[repository] = map[string]bool{}
			}
			asked[repository][beginning] = true
		}
	}
	searched := map[string]bool{}
	for _, p := range f.parts {
		searched[p] = true
	}
	for _, r := range open {
		for i := range r.named {
			if n := &r.named[i]; !n.config {
				searched[n.Repository] = true
				ask(n.Repository, n.SHA)
				released(n.SHA)
			}
		}
		for _, text := range r.images {
			for _, name := range namesOf(text) {
				names[name] = true
			}
			tag := tagOf(text)
			released(tag, imageName(text), f.name)
			for _, p := range f.parts {
				ask(p, tag)
			}
		}
		names[r.Artifact] = true
		released(r.VersionName, f.name)
		for _, p := range f.parts {
			ask(p, r.VersionName)
		}
	}
	delete(names, "")
	for repository, prefixes := range asked {
		if r := repos[repository]; r != nil {
			f.commits[repository] = r.Graph.Complete(slices.Sorted(maps.Keys(prefixes)))
		}
	}
	var rows []release
	if err := d.st.Select(ctx, &rows, query("artifacts"), store.Params{
		"names": sorted(names), "repositories": sorted(searched), "versions": sorted(versions), "cutoff": d.cutoff(),
	}); err != nil {
		return nil, err
	}
	for _, row := range rows { // ordered by age: the latest stays
		f.artifact[row.ID] = row
		if row.Digest != "" {
			f.artifact[row.Digest] = row
		}
		if row.Version != "" {
			f.releases[[2]string{row.Repository, row.Version}] = row
			if parts := strings.Split(row.Version, "/"); len(parts) > 2 { // services/shop/v1.4.2
				f.releases[[2]string{row.Repository, strings.Join(parts[len(parts)-2:], "/")}] = row
			}
		}
	}
	return f, nil
}

// known says whether a commit of exactly this name was told.
func (f *finder) known(repository, sha string) bool {
	r := f.repos[repository]
	return r != nil && r.Graph.Known(sha)
}

// age is when a commit was made; attribution.Absent when it is not known.
func (f *finder) age(repository, sha string) int64 {
	if r := f.repos[repository]; r != nil {
		if c, ok := r.Graph.Find(sha); ok {
			return r.Graph.CommittedAt(c)
		}
	}
	return attribution.Absent
}

// namesOf are the names under which an image may have been told as an artifact, the most telling first: its digest, as it
// stands here, in full, without the digest.
func namesOf(image string) []string {
	names := []string{image}
	i, ok := revision.ParseImage(image)
	if !ok {
		return names
	}
	if i.Digest != "" {
		name, _, _ := strings.Cut(image, "@")
		names = append([]string{i.Digest}, image, name)
	}
	if i.Tag != "" {
		names = append(names, i.Name()+":"+i.Tag, i.Path+":"+i.Tag)
	}
	return names
}

func tagOf(image string) string {
	i, _ := revision.ParseImage(image)
	return i.Tag
}

func tagsOf(images []string) []string {
	var tags []string
	for _, image := range images {
		tags = append(tags, tagOf(image))
	}
	return tags
}

// sorted never is nil: an empty list is a value of a query, too.
func sorted(set map[string]bool) []string {
	return append([]string{}, slices.Sorted(maps.Keys(set))...)
}

// lastPart is shop of ghcr.io/acme/shop and of acme/shop.
func lastPart(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// imageName is the last part of the name of an image.
func imageName(image string) string {
	i, _ := revision.ParseImage(image)
	return lastPart(i.Path)
}

// spellings are what a release of a version may be called, the most telling first: after the name of what is released,
// where one repository has several (shop/v1.4.2), as it stands here, and without or with the v before it, since people
// write both.
func spellings(version string, names ...string) []string {
	if version == "" {
		return nil
	}
	plain := plainVersion(version)
	var all []string
	for _, name := range names {
		if name == "" || !revision.IsVersion(version) {
			continue
		}
		for _, between := range []string{"/", "@", "-"} {
			all = append(all, name+between+"v"+plain, name+between+plain)
		}
	}
	return append(all, version, plain, "v"+plain)
}

// release is that of a repository with the first of the spellings under which there is one.
func (f *finder) release(repository, version string, names ...string) (release, bool) {
	for _, spelling := range spellings(version, names...) {
		if of, ok := f.releases[[2]string{repository, spelling}]; ok {
			return of, true
		}
	}
	return release{}, false
}

func plainVersion(version string) string {
	if len(version) > 1 && version[0] == 'v' && version[1] >= '0' && version[1] <= '9' {
		return version[1:]
	}
	return version
}

// find gives the revisions of a run, and the rule by which the commit of a source was found; "" for none.
func (f *finder) find(r *run) ([]attribution.Revision, string) {
	revisions, rule := []attribution.Revision(nil), ""
	sources := 0
	for i := range r.named {
		n := r.named[i]
		if n.config {
			revisions = append(revisions, n.Revision)
			continue
		}
		sources++
		by := n.rule
		if sha := f.commits[n.Repository][n.SHA]; sha != "" {
			n.SHA = sha
		} else if of, ok := f.release(n.Repository, n.SHA); ok && !revision.IsCommit(n.SHA) {
			n.SHA, by = of.SHA, byReleaseTag
		}
		if !revision.IsCommit(n.SHA) && !f.known(n.Repository, n.SHA) {
			by = "" // what was told is no commit, and none was found by it
		}
		rule = cmp.Or(rule, by)
		revisions = append(revisions, n.Revision)
	}
	if sources > 0 {
		return revisions, rule
	}
	found, rule := f.source(r)
	for _, repository := range slices.Sorted(maps.Keys(found)) {
		revisions = append(slices.DeleteFunc(revisions, func(rev attribution.Revision) bool { return rev.Repository == repository }),
			attribution.Revision{Repository: repository, SHA: found[repository]})
	}
	return revisions, rule
}

// source finds what a run carried of which repository, by the first rule that finds anything.
func (f *finder) source(r *run) (map[string]string, string) {
	found := map[string]string{}
	add := func(of release, ok bool) {
		if ok && (found[of.Repository] == "" || f.age(of.Repository, of.SHA) > f.age(of.Repository, found[of.Repository])) {
			found[of.Repository] = of.SHA
		}
	}
	for _, text := range r.images {
		for _, name := range namesOf(text) {
			if of, ok := f.artifact[name]; ok {
				add(of, true)
				break
			}
		}
	}
	if of, ok := f.artifact[r.Artifact]; ok && r.Artifact != "" {
		add(of, true)
	}
	if own := f.own(found); len(own) > 0 {
		return r.apart(own), byArtifact
	}
	// Images say more than the version, which may be that of a chart.
	for _, texts := range [][]string{tagsOf(r.images), {r.VersionName}} {
		for _, text := range texts {
			for _, beginning := range revision.CommitsOf(text) {
				if repository, sha := f.commit(beginning); sha != "" {
					add(release{Repository: repository, SHA: sha}, true)
				}
			}
		}
		if len(found) > 0 {
			return r.apart(found), byImageTag
		}
	}
	for _, image := range f.ownImages(r.images) {
		for _, p := range f.parts {
			add(f.release(p, tagOf(image), imageName(image), f.name))
		}
	}
	if len(found) == 0 {
		for _, p := range f.parts {
			add(f.release(p, r.VersionName, f.name))
		}
	}
	if len(found) > 0 {
		return r.apart(found), byReleaseTag
	}
	return nil, ""
}

// ownImages are those that are called as the service or one of its repositories; all, when none is. An image beside the
// service's has versions of its own, which say nothing of the service's.
func (f *finder) ownImages(images []string) []string {
	var own []string
	for _, image := range images {
		name := imageName(image)
		if name != "" && (name == f.name || slices.ContainsFunc(f.parts, func(p string) bool { return lastPart(p) == name })) {
			own = append(own, image)
		}
	}
	if len(own) == 0 {
		return images
	}
	return own
}

// apart leaves out what was found of repositories of configuration that the run names, where something else was found,
// too: which commit of these is live was told.
func (r *run) apart(found map[string]string) map[string]string {
	rest := maps.Clone(found)
	for i := range r.named {
		if r.named[i].config {
			delete(rest, r.named[i].Repository)
		}
	}
	if len(rest) == 0 {
		return found
	}
	return rest
}

// own are those of the service's repositories, where there are some: an image beside the service's is of another's.
func (f *finder) own(found map[string]string) map[string]string {
	own := map[string]string{}
	for repository, sha := range found {
		if slices.Contains(f.parts, repository) {
			own[repository] = sha
		}
	}
	if len(own) == 0 {
		return found
	}
	return own
}

// commit is the one commit, of one of the service's repositories, whose name begins so; "" for none or several.
func (f *finder) commit(prefix string) (repository, sha string) {
	for _, p := range f.parts {
		at, known := f.commits[p][prefix]
		if !known {
			continue
		}
		if at == "" || sha != "" {
			return "", ""
		}
		repository, sha = p, at
	}
	return repository, sha
}
