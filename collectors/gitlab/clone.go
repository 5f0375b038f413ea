package gitlab

import (
	"context"
	"errors"
	"strings"

	"cairn/collectors/git"
	"cairn/internal/event"
	"cairn/internal/rules"
)

// readClone has the git collector read the project's repository from a clone, with the paths that each commit touches, and
// with the deployments that tags or the default branch are by the rules. The position is the git collector's: the whole
// repository is told in one turn, or again.
func readClone(ctx context.Context, t *Turn) error {
	cfg := git.DefaultConfig()
	cfg.Location = t.c.t.web + "/" + t.repo.Path + ".git"
	cfg.Repository = t.repo.Fact
	cfg.CacheDir = t.c.clones.Dir
	cfg.AsOf = t.asOf
	cfg.Releases = true
	if t.c.clones.Program != "" {
		cfg.Program = t.c.clones.Program
	}
	if t.c.clones.Header != nil {
		header, err := t.c.clones.Header(ctx)
		if err != nil {
			return err
		}
		cfg.Header = header
	}
	for _, from := range t.deployedFrom() {
		cfg := cfg
		cfg.DeployOn, cfg.Service = git.DeployOnNone, ""
		switch from {
		case rules.FromTag:
			cfg.DeployOn, cfg.TagPattern = git.DeployOnTags, "*"
		case rules.FromBranch:
			cfg.DeployOn = "refs/heads/" + t.repo.Branch
		}
		if from != rules.FromNone {
			// The git collector keeps what it told under the service; whose a deployment is say the rules.
			cfg.Service = from
		}
		run, err := git.New(cfg, t.position, nil)
		if err != nil {
			return err
		}
		for e, err := range run.Events(ctx) {
			if errors.Is(err, git.ErrEmpty) {
				t.report.Complete = true
				return nil
			}
			if err != nil {
				return err
			}
			if err := t.cloned(e, from); err != nil {
				return err
			}
		}
		t.position = run.Position()
	}
	t.report.Complete = true
	return nil
}

// deployedFrom are the things of a clone that can be deployments, each of which takes a run of the git collector.
func (t *Turn) deployedFrom() []string {
	var from []string
	if t.c.rules.Wants(t.repo.Fact, rules.FromTag) {
		from = append(from, rules.FromTag)
	}
	if _, verdict := t.c.t.branchDeployment(t.repo, t.repo.Branch, "", t.asOf); t.repo.Branch != "" && verdict.Deployment {
		from = append(from, rules.FromBranch)
	}
	if len(from) == 0 {
		from = append(from, rules.FromNone)
	}
	return from
}

// cloned tells what the git collector told, in the connection's name. The repository and the services are told by who
// knows them better.
func (t *Turn) cloned(e event.Event, from string) error {
	switch e := e.(type) {
	case *event.Repository, *event.Service:
		return nil
	case *event.Deployment:
		var d *event.Deployment
		var verdict rules.Verdict
		sha := ""
		if len(e.Revisions) > 0 {
			sha = e.Revisions[0].SHA
		}
		what := "tag " + clip(e.Version)
		if from == rules.FromTag {
			d, verdict = t.c.t.tagDeployment(t.repo, e.Version, sha, e.FinishedAt)
		} else {
			d, verdict = t.c.t.branchDeployment(t.repo, t.repo.Branch, sha, e.FinishedAt)
			what = "commit " + strings.ToLower(sha[:min(12, len(sha))])
		}
		if d != nil && e.UpdatedAt.After(d.UpdatedAt) {
			d.UpdatedAt = e.UpdatedAt // a tag that was moved
		}
		return t.deployed(d, verdict.Rule, what)
	}
	e.Common().Source = t.c.cfg.Name
	return t.tell(e)
}
