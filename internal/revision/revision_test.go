package revision_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn/internal/revision"
)

const (
	sha = "731f7eaddfb6af01cb2173e18f0f75b0ba780ef1"
	sum = "9b1d3cbb2a1f4f1d9f3d0f6f5f6b2a0e8f1c7a5d4b3e2f1a0c9d8e7f6a5b4c3d"
)

func TestEveryFormOfARevisionIsRead(t *testing.T) {
	for text, want := range map[string]revision.Revision{
		"":                               {},
		sha:                              {Commit: sha},
		strings.ToUpper(sha):             {Commit: sha},
		sum:                              {Commit: sum},
		"main@sha1:" + sha:               {Commit: sha, Ref: "main"},
		"refs/heads/main@sha1:" + sha:    {Commit: sha, Ref: "main"},
		"v1.2.3@sha1:" + sha:             {Commit: sha, Ref: "v1.2.3", Version: "v1.2.3"},
		"sha1:" + sha:                    {Commit: sha},
		"main/" + sha:                    {Commit: sha, Ref: "main"},
		"feature/a/b/" + sha:             {Commit: sha, Ref: "feature/a/b"},
		"a@b@sha1:" + sha:                {Commit: sha, Ref: "a@b"},
		"sha256:" + sum:                  {Digest: "sha256:" + sum},
		"latest@sha256:" + sum:           {Digest: "sha256:" + sum, Ref: "latest"},
		"6.1.0@sha256:" + sum:            {Digest: "sha256:" + sum, Ref: "6.1.0", Version: "6.1.0"},
		"0.11.0":                         {Version: "0.11.0"},
		" v2.0.0-rc.1+build.5 ":          {Version: "v2.0.0-rc.1+build.5"},
		"release-2026":                   {Version: "release-2026"},
		"main@sha1:" + sha[:39]:          {Version: "main@sha1:" + sha[:39]},
		"sha256:" + sha:                  {Version: "sha256:" + sha},
		"main/" + sha[:7]:                {Version: "main/" + sha[:7]},
		"HEAD":                           {Version: "HEAD"},
		"sha1:" + strings.ToUpper(sha):   {Commit: sha},
		"x@sha1:" + sha + "@sha1:" + sha: {Commit: sha, Ref: "x@sha1:" + sha},
	} {
		if got := revision.Parse(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
}

func TestOneRevisionHasOneIDInEveryForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sha := rapid.StringMatching(`[0-9a-f]{40}`).Draw(t, "sha")
		branch := rapid.StringMatching(`[a-z][a-z0-9/._-]{0,30}`).Draw(t, "branch")
		for _, text := range []string{sha, "sha1:" + sha, branch + "@sha1:" + sha, branch + "/" + sha} {
			r := revision.Parse(text)
			if r.ID() != sha || revision.Parse(r.ID()).ID() != sha || r.Digest != "" {
				t.Errorf("%q is %+v", text, r)
			}
		}
	})
}

func TestTagsThatNameACommit(t *testing.T) {
	for tag, want := range map[string][]string{
		"54ea6ca":                 {"54ea6ca"},
		"sha-54ea6ca":             {"54ea6ca"},
		"v1.4.2-3-g54ea6ca":       {"54ea6ca"},
		"main-54ea6ca-1690000000": {"54ea6ca", "1690000000"},
		"1690000000-54ea6ca":      {"54ea6ca", "1690000000"},
		"main_" + sha:             {sha},
		"14.4.0-debian-11-r11":    nil,
		"latest":                  nil,
		"v1.4.2":                  nil,
		"inemkovich":              nil,
		"":                        nil,
	} {
		if got := revision.CommitsOf(tag); !slices.Equal(got, want) {
			t.Errorf("%q has %q, want %q", tag, got, want)
		}
	}
}

func TestReferencesToImages(t *testing.T) {
	for text, want := range map[string]revision.Image{
		"nginx":        {Registry: "docker.io", Path: "library/nginx"},
		"nginx:latest": {Registry: "docker.io", Path: "library/nginx", Tag: "latest"},
		"ghcr.io/h8r-dev/heighliner-cloud-backend:54ea6ca": {Registry: "ghcr.io", Path: "h8r-dev/heighliner-cloud-backend", Tag: "54ea6ca"},
		"images.acme.com:5000/shop@sha256:" + sum:          {Registry: "images.acme.com:5000", Path: "shop", Digest: "sha256:" + sum},
		"ghcr.io/acme/shop:v1.4.2@sha256:" + sum:           {Registry: "ghcr.io", Path: "acme/shop", Tag: "v1.4.2", Digest: "sha256:" + sum},
	} {
		if got, ok := revision.ParseImage(text); !ok || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "Ghcr.io/Acme/Shop", "a b", "shop@sha256:12", strings.Repeat("a", 300), sum} {
		if got, ok := revision.ParseImage(text); ok {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "main@sha1:" + sha, "main/" + sha, "sha256:" + sum, "ghcr.io/acme/shop:v1@sha256:" + sum, "v1-3-g54ea6ca"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := revision.Parse(text)
		if r.Commit != "" && (r.Digest != "" || !revision.IsCommit(r.Commit)) {
			t.Errorf("%q is %+v", text, r)
		}
		if again := revision.Parse(r.ID()); again.ID() != r.ID() {
			t.Errorf("%q has the id %q, which has the id %q", text, r.ID(), again.ID())
		}
		for _, commit := range revision.CommitsOf(text) {
			if !strings.Contains(text, commit) {
				t.Errorf("%q has no %q", text, commit)
			}
		}
		if image, ok := revision.ParseImage(text); ok && (image.Registry == "" || image.Path == "") {
			t.Errorf("%q is %+v", text, image)
		}
	})
}
