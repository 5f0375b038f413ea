package derive_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
)

// Three commits; the first seven digits of the last two are the same.
const (
	first  = "1b3fa0c2d4e5f60718293a4b5c6d7e8f90a1b2c3"
	second = "5f2c1ab900000000000000000000000000000002"
	third  = "5f2c1ab9ffffffffffffffffffffffffffffffff"
	digest = "sha256:9b1d3cbb2a1f4f1d9f3d0f6f5f6b2a0e8f1c7a5d4b3e2f1a0c9d8e7f6a5b4c3d"
)

// Where a deployment does not name its commit it is found, in a fixed order of rules, and the rule is kept; where it is
// not found that is seen, too.
func TestTheCommitOfADeploymentIsFound(t *testing.T) {
	b := newBench(t)
	told := event.Telling{Source: "git", UpdatedAt: hour(0)}
	for i, sha := range []string{first, second, third} {
		b.write(&event.Commit{Telling: told, Repository: "acme/shop", SHA: sha, AuthoredAt: hour(i), CommittedAt: hour(i)})
	}
	b.write(&event.Commit{Telling: told, Repository: "acme/side", SHA: strings.Repeat("d", 40), AuthoredAt: hour(0), CommittedAt: hour(0)},
		&event.Commit{Telling: told, Repository: "acme/config", SHA: strings.Repeat("c", 40), AuthoredAt: hour(0), CommittedAt: hour(0)},
		&event.Artifact{Telling: told, ID: "ghcr.io/acme/shop:nightly", Repository: "acme/shop", SHA: second, Digest: digest},
		&event.Artifact{Telling: told, ID: "ghcr.io/acme/side:1", Repository: "acme/side", SHA: strings.Repeat("d", 40)},
		&event.Artifact{Telling: told, ID: "acme/shop:v1.4.2", Repository: "acme/shop", SHA: third, Version: "v1.4.2"},
		&event.Artifact{Telling: told, ID: "acme/shop:v1.2.0", Repository: "acme/shop", SHA: first, Version: "v1.2.0"},
		&event.Artifact{Telling: told, ID: "acme/shop:v1.30.0", Repository: "acme/shop", SHA: second, Version: "v1.30.0"},
		&event.Artifact{Telling: told, ID: "acme/shop:web/v2.0.0", Repository: "acme/shop", SHA: first, Version: "web/v2.0.0"},
		&event.Artifact{Telling: told, ID: "acme/shop:api/v2.0.0", Repository: "acme/shop", SHA: third, Version: "api/v2.0.0"},
		&event.Artifact{Telling: told, ID: "acme/shop:services/web/v4.0.0", Repository: "acme/shop", SHA: first, Version: "services/web/v4.0.0"},
		&event.Artifact{Telling: told, ID: "acme/shop:web@3.0.0", Repository: "acme/shop", SHA: second, Version: "web@3.0.0"},
		&event.Artifact{Telling: told, ID: "acme/config:v1.4.2", Repository: "acme/config", SHA: strings.Repeat("e", 40), Version: "v1.4.2"})
	config := event.Revision{Repository: "acme/config", SHA: strings.Repeat("c", 40), Role: "config"}
	source := func(sha, rule string) event.Revision {
		return event.Revision{Repository: "acme/shop", SHA: sha, Rule: rule}
	}
	cases := map[string]struct {
		deployment event.Deployment
		rule       string
		found      string // repository@commit of what became live, sorted
	}{
		"the whole commit":                  {event.Deployment{Revisions: []event.Revision{source(first, "")}, Images: []string{"ghcr.io/acme/shop:nightly"}}, "commit", "acme/shop@" + first},
		"the producer's own rule":           {event.Deployment{Revisions: []event.Revision{source(first, "origin_revision"), config}}, "origin_revision", "acme/config@" + config.SHA + " acme/shop@" + first},
		"the beginning of its name":         {event.Deployment{Revisions: []event.Revision{source(first[:7], "")}}, "commit", "acme/shop@" + first},
		"a release as the revision":         {event.Deployment{Revisions: []event.Revision{source("1.4.2", "")}}, "release_tag", "acme/shop@" + third},
		"an image that was told":            {event.Deployment{Revisions: []event.Revision{config}, Images: []string{"ghcr.io/acme/shop:nightly"}}, "artifact", "acme/config@" + config.SHA + " acme/shop@" + second},
		"an image by its digest":            {event.Deployment{Images: []string{"mirror/shop:any@" + digest}}, "artifact", "acme/shop@" + second},
		"the digest as the artifact":        {event.Deployment{Artifact: digest}, "artifact", "acme/shop@" + second},
		"an image beside the service's":     {event.Deployment{Images: []string{"ghcr.io/acme/side:1", "ghcr.io/acme/shop:nightly"}}, "artifact", "acme/shop@" + second},
		"only an image of another's":        {event.Deployment{Images: []string{"ghcr.io/acme/side:1"}}, "artifact", "acme/side@" + strings.Repeat("d", 40)},
		"an artifact before a tag":          {event.Deployment{Images: []string{"ghcr.io/acme/shop:nightly", "ghcr.io/acme/shop:" + first[:7]}}, "artifact", "acme/shop@" + second},
		"a tag that contains it":            {event.Deployment{Images: []string{"envoy:v1.30", "ghcr.io/acme/shop:main-" + first[:8] + "-20260302"}}, "image_tag", "acme/shop@" + first},
		"a version that contains it":        {event.Deployment{Version: "v1.4.1-7-g" + first[:7]}, "image_tag", "acme/shop@" + first},
		"a tag that is a release":           {event.Deployment{Images: []string{"ghcr.io/acme/shop:1.4.2"}}, "release_tag", "acme/shop@" + third},
		"a version that is a release":       {event.Deployment{Version: "v1.4.2"}, "release_tag", "acme/shop@" + third},
		"a tag beside a digest":             {event.Deployment{Images: []string{"host.acme.com:5000/shop:1.4.2@sha256:" + strings.Repeat("0", 64)}}, "release_tag", "acme/shop@" + third},
		"a sha at a registry with a port":   {event.Deployment{Images: []string{"host:5000/shop:" + first[:12]}}, "image_tag", "acme/shop@" + first},
		"a release of a part by its image":  {event.Deployment{Images: []string{"ghcr.io/acme/web:v2.0.0"}}, "release_tag", "acme/shop@" + first},
		"a release of a part, without a v":  {event.Deployment{Images: []string{"ghcr.io/acme/web:2.0.0"}}, "release_tag", "acme/shop@" + first},
		"a release of a part with an @":     {event.Deployment{Images: []string{"ghcr.io/acme/web:v3.0.0"}}, "release_tag", "acme/shop@" + second},
		"a release of a part in a folder":   {event.Deployment{Images: []string{"ghcr.io/acme/web:4.0.0"}}, "release_tag", "acme/shop@" + first},
		"acme/api":                          {event.Deployment{Version: "v2.0.0"}, "release_tag", "acme/shop@" + third},
		"a release of another part":         {event.Deployment{Images: []string{"ghcr.io/acme/worker:v2.0.0"}}, "", ""},
		"a release of a part, as it stands": {event.Deployment{Version: "web/v2.0.0"}, "release_tag", "acme/shop@" + first},
		"an image of nobody's beside it":    {event.Deployment{Images: []string{"envoyproxy/envoy:v1.30.0", "ghcr.io/acme/shop:1.2.0"}}, "release_tag", "acme/shop@" + first},
		"an image before the chart":         {event.Deployment{Images: []string{"ghcr.io/acme/shop:1.2.0"}, Version: "1.30.0"}, "release_tag", "acme/shop@" + first},
		"a tag and a chart with commits":    {event.Deployment{Images: []string{"ghcr.io/acme/shop:" + first[:8]}, Version: "1.0.0+" + second[:9]}, "image_tag", "acme/shop@" + first},
		"a release of the configuration":    {event.Deployment{Images: []string{"ghcr.io/acme/shop:1.4.2"}, Revisions: []event.Revision{config}}, "release_tag", "acme/config@" + config.SHA + " acme/shop@" + third},
		"a date":                            {event.Deployment{Images: []string{"ghcr.io/acme/shop:20261124"}}, "", ""},
		"the number of a build":             {event.Deployment{Images: []string{"ghcr.io/acme/shop:1234567"}}, "", ""},
		"a word that is hexadecimal":        {event.Deployment{Images: []string{"ghcr.io/acme/shop:deadbeef"}}, "", ""},
		"less than seven digits":            {event.Deployment{Images: []string{"ghcr.io/acme/shop:" + first[:6]}}, "", ""},
		"the beginning of two commits":      {event.Deployment{Revisions: []event.Revision{source(second[:7], "")}}, "", ""},
		"a tag that two commits have":       {event.Deployment{Images: []string{"ghcr.io/acme/shop:" + second[:7]}}, "", ""},
		"a tag of nobody's":                 {event.Deployment{Images: []string{"ghcr.io/acme/shop:latest"}, Revisions: []event.Revision{config}}, "", "acme/config@" + config.SHA},
		"a commit of another's in a tag":    {event.Deployment{Images: []string{"ghcr.io/acme/side:" + strings.Repeat("d", 40)}}, "", ""},
		"nothing":                           {event.Deployment{}, "", ""},
		"a name of its own for a version":   {event.Deployment{Version: "the one with the blue button"}, "", ""},
	}
	for name, c := range cases {
		d := c.deployment
		d.Telling, d.Service, d.ID, d.Environment, d.Status, d.FinishedAt = event.Telling{Source: "cd", UpdatedAt: hour(9)}, name, "d1", "production", "succeeded", hour(9)
		b.write(&event.Service{Telling: told, ID: name, CreatedAt: hour(7), Repositories: []event.ServiceRepository{{Repository: "acme/shop"}, {Repository: "acme/config"}}}, &d)
	}
	b.catchUp(b.deriver())
	var rows []struct {
		Service string   `ch:"service"`
		Rule    string   `ch:"found_by"`
		Source  string   `ch:"source"`
		Commits []string `ch:"commits"`
	}
	if err := b.st.Select(context.Background(), &rows, `
		SELECT toString(r.service) AS service, toString(r.found_by) AS found_by, toString(r.source) AS source,
		       (SELECT groupArraySorted(9)(concat(c.repository, '@', c.sha)) FROM attributed_commits AS c FINAL WHERE c.service = r.service) AS commits
		FROM attributed_runs AS r FINAL`, nil); err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(cases) {
		t.Errorf("%d runs, want %d", len(rows), len(cases))
	}
	for _, r := range rows {
		want := cases[r.Service]
		if diff := cmp.Diff([]string{want.rule, "cd", want.found}, []string{r.Rule, r.Source, strings.Join(r.Commits, " ")}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Service, diff)
		}
	}
}
