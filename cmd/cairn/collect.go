package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"cairn/collectors"
	"cairn/collectors/git"
	"cairn/internal/fault"
	"cairn/internal/progress"
	"cairn/metrics/words"
)

type collectCommand struct {
	Git    collectGit    `cmd:"" help:"Commits of a git repository, and deployments from its release tags or from a branch."`
	GitHub collectGitHub `cmd:"" name:"github" help:"Everything that the configured connections to GitHub may read, once."`
	GitLab collectGitLab `cmd:"" name:"gitlab" help:"Everything that the configured connections to GitLab may read, once."`

	Kubernetes collectKubernetes `cmd:"" name:"kubernetes" help:"Requests and deployments of the configured clusters, once."`
	Sources    collectSources    `cmd:"" help:"Everything that the configured sources may read, of whatever system, once."`
}

type collectGit struct {
	Location string `arg:"" help:"Folder of a repository, or an address that git can clone." name:"path-or-url"`

	Service               string   `help:"Service whose deployments these are." placeholder:"NAME"`
	Repository            string   `help:"Id of the repository (default: owner/name of an address, the name of a folder)." placeholder:"ID"`
	DeployOn              string   `help:"What is a deployment: 'tags' (release tags), 'none', or the name of a branch, whose first-parent commits ship as they land." default:"tags" placeholder:"tags|BRANCH|none"`
	TagPattern            string   `help:"Take tags that match, and only those, for releases, such as release-*." placeholder:"GLOB"`
	Environment           string   `help:"Environment of releases." default:"production" placeholder:"NAME"`
	PrereleaseEnvironment string   `help:"Environment of versions with a pre-release part." default:"prerelease" placeholder:"NAME"`
	TagEnvironment        []string `help:"Environment of the tags that match a pattern, such as '*-canary=canary'; may be repeated, the first match wins." placeholder:"GLOB=NAME"`
	Path                  []string `help:"Part of the repository that the service is built from; may be repeated." placeholder:"PATH"`
	SharedPath            []string `help:"Part that the service shares with others; may be repeated." placeholder:"PATH"`
	Branch                string   `help:"Default branch, where the repository does not say it or says it wrong." placeholder:"NAME"`
	DefaultBranchOnly     bool     `help:"Leave out branches that are neither merged nor released."`
	Bot                   []string `help:"Pattern of 'name <e-mail>' of machines, beside the usual ones; may be repeated." placeholder:"GLOB"`
	AllowShallow          bool     `help:"Collect from a shallow clone although lead times near its cut will be wrong."`
	NoRegister            bool     `help:"Do not tell the catalogue that the service is built from this repository."`
	Full                  bool     `help:"Tell everything again."`
}

// Run collects.
func (c *collectGit) Run(ctx context.Context, w *world, g *Globals) error {
	if c.Service == "" && c.DeployOn != git.DeployOnNone {
		return fault.New(fault.Invalid, "deployments are those of a service: name it with --service NAME, or take commits alone with --deploy-on none")
	}
	cfg := git.DefaultConfig()
	cfg.Location, cfg.Service, cfg.Repository, cfg.DeployOn = c.Location, c.Service, c.Repository, c.DeployOn
	cfg.TagPattern, cfg.Environment, cfg.PrereleaseEnvironment = c.TagPattern, c.Environment, c.PrereleaseEnvironment
	for _, text := range c.TagEnvironment {
		pattern, name, ok := strings.Cut(text, "=")
		if !ok || pattern == "" || name == "" {
			return fault.New(fault.Invalid, "--tag-environment is %q: expected a pattern and an environment, such as '*-canary=canary'", text)
		}
		cfg.Environments = append(cfg.Environments, git.TagEnvironment{Pattern: pattern, Name: name})
	}
	cfg.Register, cfg.Paths, cfg.SharedPaths = !c.NoRegister && c.Service != "", c.Path, c.SharedPath
	cfg.Branch, cfg.DefaultBranchOnly, cfg.Bots = c.Branch, c.DefaultBranchOnly, c.Bot
	cfg.AllowShallow, cfg.Full, cfg.AsOf, cfg.Releases = c.AllowShallow, c.Full, time.Now(), true
	if data, err := g.load(); err == nil {
		cfg.CacheDir = filepath.Join(data.Store.Data, "clones")
	}
	// Settings are checked before anything is opened, and the repository's id is known.
	probe, err := git.New(cfg, "", nil)
	if err != nil {
		return err
	}
	conn, err := g.connect(ctx, w)
	if err != nil {
		return err
	}
	defer conn.close()
	to := sink{conn, "git"}
	position, err := to.Load(ctx, probe.Stream())
	if err != nil {
		return err
	}
	meter := progress.New(w.stderr, w.progress())
	source, err := git.New(cfg, position, meter.Report)
	if err != nil {
		return err
	}
	stored, err := collectors.Run(ctx, source, to)
	meter.Close()
	if err != nil {
		return err
	}
	r := source.Report()
	fmt.Fprintf(w.stdout, "%s: %s and %s are new; %s stored.\n", r.Repository, words.Counted(int64(r.Commits), "commit"), words.Counted(int64(r.Deployments), "deployment"), words.Counted(int64(stored), "fact"))
	for _, e := range r.Environments {
		fmt.Fprintf(w.stdout, "  %s to %s\n", words.Counted(int64(e.N), "deployment"), e.What)
	}
	for _, note := range r.Notes() {
		fmt.Fprintln(w.stdout, " ", note)
	}
	return nil
}

// progress is how progress is shown in this world.
func (w *world) progress() progress.Config {
	if w.terminal != nil {
		return progress.For(w.terminal)
	}
	return progress.DefaultConfig()
}
