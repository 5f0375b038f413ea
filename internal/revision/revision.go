// Package revision reads what delivery tools call a revision: a commit, a digest, the version of a chart, or a branch or
// tag with one of these. It parses and looks nothing up; which commit a tag stands for is for others to find.
package revision

import (
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// Revision is what the text of a revision says. At most one of Commit and Digest is set.
type Revision struct {
	Commit  string // full sha of a commit, in small letters: 40 or 64 digits
	Digest  string // of an artifact, sha256:<64 digits>
	Version string // a version such as 1.4.2 or v2.0.0-rc.1, or any other text that is no commit and no digest
	Ref     string // the branch or tag that the text names beside the commit or digest
}

// Parse reads a revision in any of the forms
//
//	5f2c…                       a commit
//	main@sha1:5f2c…  sha1:5f2c… Flux's, of a Git repository
//	main/5f2c…                  the same in the form of Flux before 2.0
//	6.1.0@sha256:9b1d…          Flux's, of an OCI repository
//	sha256:9b1d…                a digest
//	0.11.0                      the version of a chart, or a tag
//
// A digest after @sha256: is an artifact's, not a commit's of a repository that hashes with SHA-256: nothing tells these
// apart, and the former are many. Text of another form is a Version. Parse("") is the zero Revision.
func Parse(text string) Revision {
	text = strings.TrimSpace(text)
	if ref, rest, ok := cutLast(text, "@"); ok {
		if r := hashed(rest); r != (Revision{}) {
			return r.named(ref)
		}
	}
	if r := hashed(text); r != (Revision{}) {
		return r
	}
	if IsCommit(text) {
		return Revision{Commit: strings.ToLower(text)}
	}
	if ref, sha, ok := cutLast(text, "/"); ok && IsCommit(sha) {
		return Revision{Commit: strings.ToLower(sha)}.named(ref)
	}
	return Revision{Version: text}
}

// ID is the same for each form of one revision: the commit, else the digest, else the version.
func (r Revision) ID() string {
	switch {
	case r.Commit != "":
		return r.Commit
	case r.Digest != "":
		return r.Digest
	}
	return r.Version
}

func (r Revision) named(ref string) Revision {
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		ref = strings.TrimPrefix(ref, prefix)
	}
	r.Ref = ref
	if IsVersion(ref) {
		r.Version = ref
	}
	return r
}

// hashed reads sha1:<commit> and sha256:<digest>.
func hashed(text string) Revision {
	algorithm, sum, _ := strings.Cut(text, ":")
	sum = strings.ToLower(sum)
	switch {
	case algorithm == "sha1" && len(sum) == 40 && IsCommit(sum):
		return Revision{Commit: sum}
	case algorithm == "sha256" && len(sum) == 64 && IsCommit(sum):
		return Revision{Digest: "sha256:" + sum}
	}
	return Revision{}
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// IsCommit says whether the text is the full sha of a commit.
func IsCommit(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

var version = regexp.MustCompile(`^v?\d+(\.\d+){1,3}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// IsVersion says whether the text is a version such as 1.4.2, v2.0 or 1.0.0-rc.1.
func IsVersion(text string) bool { return len(text) <= 128 && version.MatchString(text) }

// shortSHA is a part of a tag that may be the beginning of a commit's sha, as git describe (g5f2c1ab) and build tools
// (sha-5f2c1ab) write it.
var shortSHA = regexp.MustCompile(`^g?([0-9a-f]{7,40})$`)

// CommitsOf gives the parts of a tag that may be the sha of a commit or the beginning of one, in the order in which they
// stand there: v1.4-3-g5f2c1ab has 5f2c1ab, main-5f2c1ab-1690000000 that and the number, which could be one. At least one
// that has a letter comes before those that are digits alone.
func CommitsOf(tag string) []string {
	var letters, digits []string
	for part := range strings.FieldsFuncSeq(tag, func(r rune) bool { return strings.ContainsRune("-_.+/", r) }) {
		if found := shortSHA.FindStringSubmatch(part); found == nil {
			continue
		} else if strings.Trim(found[1], "0123456789") == "" {
			digits = append(digits, found[1])
		} else {
			letters = append(letters, found[1])
		}
	}
	return append(letters, digits...)
}

// Image is what a reference to an image says.
type Image struct {
	Registry string // docker.io where the reference names none
	Path     string // acme/shop; library/nginx for nginx
	Tag      string // "" beside a digest, or when nothing is said, which means latest
	Digest   string // sha256:<64 digits>
}

// Name is the image without tag and digest: ghcr.io/acme/shop.
func (i Image) Name() string { return i.Registry + "/" + i.Path }

// ParseImage reads a reference such as ghcr.io/acme/shop:v1.4.2@sha256:9b1d…; ok is false when it is none.
func ParseImage(text string) (image Image, ok bool) {
	named, err := reference.ParseNormalizedNamed(strings.TrimSpace(text))
	if err != nil {
		return Image{}, false
	}
	image = Image{Registry: reference.Domain(named), Path: reference.Path(named)}
	if tagged, is := named.(reference.Tagged); is {
		image.Tag = tagged.Tag()
	}
	if digested, is := named.(reference.Digested); is {
		image.Digest = digested.Digest().String()
	}
	return image, true
}
