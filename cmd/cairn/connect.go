package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"cairn/collectors"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
	"cairn/metrics/words"
)

// connectCommand has a command for each system. Those of github, gitlab and kubernetes have flags, too, for what is set most.
type connectCommand struct {
	GitHub connectGitHub `cmd:"" name:"github" help:"GitHub or GitHub Enterprise."`
	GitLab connectGitLab `cmd:"" name:"gitlab" help:"gitlab.com or a GitLab of your own."`

	Kubernetes connectKubernetes `cmd:"" name:"kubernetes" help:"A cluster with Crossplane, Kratix, Flux or Argo CD."`

	kong.Plugins // all others
}

func newConnectCommand() connectCommand {
	c := connectCommand{}
	c.GitHub.system, c.GitLab.system, c.Kubernetes.system = "github", "gitlab", "kubernetes"
	for _, system := range slices.Sorted(maps.Keys(collectors.Kinds())) {
		if system == c.GitHub.system || system == c.GitLab.system || system == c.Kubernetes.system {
			continue
		}
		summary := collectors.Kinds()[system].Summary
		tag := fmt.Sprintf(`cmd:"" name:%q help:%q`, system, strings.ToUpper(summary[:1])+summary[1:]+".")
		field := reflect.StructField{Name: strings.ToUpper(system[:1]) + system[1:], Type: reflect.TypeFor[connectSystem](), Tag: reflect.StructTag(tag)}
		plugin := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		plugin.Elem().Field(0).Addr().Interface().(*connectSystem).system = system
		c.Plugins = append(c.Plugins, plugin.Interface())
	}
	return c
}

// connectSystem connects any system. Secrets are given by reference, so that they stand in no history of a shell.
type connectSystem struct {
	system string

	Setting   []string `arg:"" optional:"" help:"Settings of the source, KEY=VALUE; they are listed above." placeholder:"KEY=VALUE"`
	Name      string   `help:"Name of the source, the same as name=NAME." placeholder:"NAME"`
	Check     bool     `help:"Try only, write nothing."`
	Replace   bool     `help:"Put these settings in the place of those that the source of that name has."`
	Manifests string   `help:"Write the files that the system is to be given, filled in, to this folder. Without settings that is all." placeholder:"DIR"`
	Manifest  string   `help:"Print one of these files, and do nothing else." placeholder:"FILE"`
}

type connectGitHub struct {
	connectSystem
	URL             string   `help:"The same as url=URL." name:"url" placeholder:"URL"`
	Token           string   `help:"The same as token=REF." placeholder:"REF"`
	Organisation    []string `help:"The same as organisations=NAME; may be repeated." placeholder:"NAME"`
	User            []string `help:"The same as users=NAME; may be repeated." placeholder:"NAME"`
	AppID           int64    `help:"The same as app.id=N." placeholder:"N"`
	AppInstallation int64    `help:"The same as app.installation=N." placeholder:"N"`
	AppKey          string   `help:"The same as app.private_key=REF." placeholder:"REF"`
	WebhookSecret   []string `help:"The same as webhook_secrets=REF; may be repeated." placeholder:"REF"`
}

type connectGitLab struct {
	connectSystem
	URL          string   `help:"The same as url=URL." name:"url" placeholder:"URL"`
	Token        string   `help:"The same as token=REF." placeholder:"REF"`
	Group        []string `help:"The same as groups=PATH; may be repeated." placeholder:"PATH"`
	WebhookToken []string `help:"The same as webhook_tokens=REF; may be repeated." placeholder:"REF"`
}

type connectKubernetes struct {
	connectSystem
	ClusterName string   `help:"The same as cluster=NAME." placeholder:"NAME"`
	Kubeconfig  string   `help:"The same as kubeconfig=REF." placeholder:"REF"`
	Context     string   `help:"The same as context=NAME." placeholder:"NAME"`
	InCluster   bool     `help:"The same as in_cluster=true."`
	AuditToken  []string `help:"The same as audit_tokens=REF; may be repeated." placeholder:"REF"`
}

// also adds what a flag says to the settings.
func (c *connectSystem) also(key string, values ...string) {
	for _, v := range values {
		if v != "" {
			c.Setting = append(c.Setting, key+"="+v)
		}
	}
}

// Run tries the credential and writes the configuration.
func (c *connectGitHub) Run(ctx context.Context, w *world, g *Globals) error {
	c.also("url", c.URL)
	c.also("token", c.Token)
	if c.AppID != 0 {
		c.also("app.id", strconv.FormatInt(c.AppID, 10))
	}
	if c.AppInstallation != 0 {
		c.also("app.installation", strconv.FormatInt(c.AppInstallation, 10))
	}
	c.also("app.private_key", c.AppKey)
	c.also("organisations", c.Organisation...)
	c.also("users", c.User...)
	c.also("webhook_secrets", c.WebhookSecret...)
	return c.connectSystem.Run(ctx, w, g)
}

// Run tries the credential and writes the configuration.
func (c *connectGitLab) Run(ctx context.Context, w *world, g *Globals) error {
	c.also("url", c.URL)
	c.also("token", c.Token)
	c.also("groups", c.Group...)
	c.also("webhook_tokens", c.WebhookToken...)
	return c.connectSystem.Run(ctx, w, g)
}

// Run tries the credential and writes the configuration.
func (c *connectKubernetes) Run(ctx context.Context, w *world, g *Globals) error {
	c.also("cluster", c.ClusterName)
	c.also("kubeconfig", c.Kubeconfig)
	c.also("context", c.Context)
	if c.InCluster {
		c.also("in_cluster", "true")
	}
	c.also("audit_tokens", c.AuditToken...)
	return c.connectSystem.Run(ctx, w, g)
}

// Help lists the settings, which are those of the configuration.
func (c *connectSystem) Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Settings of a source, as KEY=VALUE. With one missing that is needed, the command says which.\n\n")
	if example := exampleOf(c.system); example != "" {
		fmt.Fprintf(&b, "  %s\n\n", example)
	}
	tellOptions(&b, optionsOf(c.system))
	if files := manifestsOf(c.system); len(files) > 0 {
		fmt.Fprintf(&b, "\nFiles for --manifests and --manifest: %s.\n", strings.Join(manifestNames(files), ", "))
	}
	fmt.Fprintf(&b, "\nEverything about it: docs/%s.md, or /docs/%[1]s on a running cairn.\n", c.system)
	return b.String()
}

// Run tries the credential and writes the configuration.
func (c *connectSystem) Run(ctx context.Context, w *world, g *Globals) error {
	if c.Name != "" {
		c.Setting = slices.Insert(c.Setting, 0, "name="+c.Name)
	}
	options := optionsOf(c.system)
	entry, config, err := entryOf(c.system, options, c.Setting)
	if err != nil {
		return err
	}
	cfg, err := g.load()
	if err != nil && fault.KindOf(err) != fault.NotFound { // a file that is not there is made
		return err
	}
	address := cmp.Or(strings.TrimSuffix(g.Server, "/"), strings.TrimSuffix(cfg.Reports.BaseURL, "/"), placeholderAddress)
	if c.Manifest != "" || c.Manifests != "" && len(c.Setting) == 0 {
		if len(c.Setting) == 0 {
			for _, s := range cfg.Sources { // that which is connected already
				if s.System == c.system {
					config = s.Config
					break
				}
			}
		}
		return c.giveManifests(w, address, config)
	}
	r, err := rules.New(cfg.Rules)
	if err != nil {
		return err
	}
	revealed, err := secrets{w.getenv}.revealed(c.system, config)
	if err != nil {
		return err
	}
	link, err := collectors.Kinds()[c.system].Link(revealed, collectors.Deps{Rules: r, Clones: filepath.Join(cfg.Store.Data, "clones"), Transport: collectors.DefaultTransportConfig()})
	if err != nil && len(c.Setting) == 0 {
		var list strings.Builder
		tellOptions(&list, options)
		return fault.Wrap(fault.KindOf(err), err, "these are the settings, as KEY=VALUE:\n\n%s\nSuch as: %s\nWhat is needed", list.String(), cmp.Or(exampleOf(c.system), "see docs/"+c.system+".md"))
	}
	if err != nil {
		return err
	}
	if link.Connection == nil {
		fmt.Fprintln(w.stdout, nothingRead)
	} else {
		access, err := try(ctx, link)
		if err != nil {
			return err
		}
		tellAccess(w.stdout, access)
	}
	path := g.Config
	if path == "" {
		path = defaultFile
	}
	if c.Check {
		fmt.Fprintf(w.stdout, "\nNothing is written to %s.\n", path)
		return nil
	}
	written, err := addSource(path, c.system, entry, config, cfg.Sources, c.Replace)
	if err != nil {
		return err
	}
	if written {
		fmt.Fprintf(w.stdout, "\nWritten to %s as %s.\n", path, link.Name)
	} else {
		fmt.Fprintf(w.stdout, "\n%s has %s like this already.\n", path, link.Name)
	}
	fmt.Fprintln(w.stdout)
	if link.Connection != nil {
		fmt.Fprintf(w.stdout, "Read it now with: cairn collect sources %s\nFrom then on cairn serve keeps it up to date.\n", link.Name)
	}
	hearing := secretLists(options)
	switch {
	case link.Receiver != nil:
		fmt.Fprintf(w.stdout, "Webhooks go to %s/hooks/%s\n", address, link.Name)
		if secret := webhookSecret(options, config); secret != "" {
			fmt.Fprintf(w.stdout, "The secret to enter there is that in %s\n", secret)
		}
	case len(hearing) > 0:
		fmt.Fprintf(w.stdout, "It has no secret for webhooks: none are heard. One would be %s=env:NAME\n", hearing[0])
	}
	if c.Manifests != "" {
		if err := c.giveManifests(w, address, config); err != nil {
			return err
		}
	} else if files := manifestsOf(c.system); len(files) > 0 {
		fmt.Fprintf(w.stdout, "What the system is to be given (%s) is written, filled in, by: cairn connect %s --manifests DIR\n", strings.Join(manifestNames(files), ", "), c.system)
	}
	fmt.Fprintf(w.stdout, "What to click there, and what becomes of it: docs/%s.md, or %s/docs/%[1]s\n", c.system, address)
	return nil
}

// checkPatience is how long a credential is tried.
const checkPatience = 2 * time.Minute

const nothingRead = "It has no credential: nothing is read."

// try asks what a credential is and may read. One that may read nothing at all is refused.
func try(ctx context.Context, l *collectors.Link) (source.Access, error) {
	if l.Check == nil {
		return source.Access{}, nil
	}
	trying, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	access, err := l.Check(trying)
	if err == nil && len(access.Things) > 0 && !slices.ContainsFunc(access.Things, func(t source.Thing) bool { return t.Denied == "" }) {
		return access, fault.New(fault.Denied, "it may read nothing: %s", access.Things[0].Denied)
	}
	return access, err
}

// tellAccess says what a credential may and may not read.
func tellAccess(out io.Writer, a source.Access) {
	if a.Who != "" {
		fmt.Fprintf(out, "The credential is that of %s.", a.Who)
		if len(a.Scopes) > 0 {
			fmt.Fprintf(out, " Its scopes: %s.", strings.Join(a.Scopes, ", "))
		}
		fmt.Fprintln(out)
	}
	if len(a.Things) > 0 {
		t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
		for _, thing := range a.Things {
			if thing.Denied == "" {
				fmt.Fprintf(t, "  may read\t%s\t(%s)\n", thing.Kind, thing.What)
			} else {
				fmt.Fprintf(t, "  may NOT read\t%s\t(%s)\n", thing.Kind, thing.Denied)
			}
		}
		t.Flush()
	}
	if a.Listed > 0 || a.Repositories > 0 {
		fmt.Fprintf(out, "%s of %s are read", words.Counted(int64(a.Repositories), "repository"), words.Grouped(int64(max(a.Listed, a.Repositories))))
		if len(a.Examples) > 0 {
			fmt.Fprintf(out, ", such as %s", strings.Join(a.Examples, ", "))
		}
		fmt.Fprintln(out, ".")
	}
	if a.Requests > 0 {
		fmt.Fprintf(out, "The first reading takes about %s.\n", words.Counted(a.Requests, "request"))
	}
	for _, note := range a.Notes {
		fmt.Fprintln(out, note)
	}
}

// addSource adds a connection to the configuration file, which is made when there is none; what else stands in it, with
// its comments, stays. One that is there as it would be written is left alone; another of that name is replaced only when
// that was asked for. It says whether it has written.
func addSource(path, system string, entry *yaml.Node, config any, others SourcesConfig, replace bool) (bool, error) {
	name := nameOf(config)
	replaced := -1
	for at, other := range others.of(system) {
		if nameOf(other.Config) != name {
			continue
		}
		if reflect.DeepEqual(other.Config, config) {
			return false, nil
		}
		if !replace {
			return false, fault.New(fault.Conflict, "%s has a source %s already, with other settings: change it there, put these in their place with --replace, or give this one another name with --name", path, name)
		}
		replaced = at
	}
	for _, other := range others {
		if other.System != system && nameOf(other.Config) == name {
			return false, fault.New(fault.Conflict, "%s has a source %s of the system %s: give this one another name with --name", path, name, other.System)
		}
	}
	var document yaml.Node
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fault.Wrap(fault.Denied, err, "the configuration file")
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return false, fault.New(fault.Invalid, "%s: %w", path, err)
	}
	if document.Kind == 0 { // empty, or comments alone
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}, HeadComment: strings.TrimSpace(string(text))}
	}
	list := below(below(document.Content[0], "sources", yaml.MappingNode), system, yaml.SequenceNode)
	if list.Kind == yaml.MappingNode { // a single connection, without a list
		single := *list
		*list = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{&single}}
	}
	if replaced >= 0 {
		list.Content[replaced] = entry
	} else {
		list.Content = append(list.Content, entry)
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&document), e.Close()); err != nil {
		return false, err
	}
	return true, replaceFile(path, out.Bytes())
}

// below is the value of a key of a mapping, made when there is none.
func below(mapping *yaml.Node, name string, kind yaml.Kind) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value != name {
			continue
		}
		value := mapping.Content[i+1]
		if value.Kind == yaml.ScalarNode { // null
			*value = yaml.Node{Kind: kind}
		}
		return value
	}
	value := &yaml.Node{Kind: kind}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
	return value
}

// replaceFile writes a file so that it is there whole, the old one or the new one.
func replaceFile(path string, text []byte) error {
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, text, mode); err != nil {
		return fault.Wrap(fault.Denied, err, "the configuration file")
	}
	if err := os.Rename(fresh, path); err != nil {
		return fault.Wrap(fault.Denied, err, "the configuration file")
	}
	return nil
}
