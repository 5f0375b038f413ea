package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gopkg.in/yaml.v3"

	"cairn/collectors"
	"cairn/collectors/github"
	"cairn/collectors/gitlab"
	"cairn/collectors/kubernetes"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
	"cairn/metrics/words"
)

type connectCommand struct {
	GitHub connectGitHub `cmd:"" name:"github" help:"GitHub or GitHub Enterprise."`
	GitLab connectGitLab `cmd:"" name:"gitlab" help:"gitlab.com or a GitLab of your own."`

	Kubernetes connectKubernetes `cmd:"" name:"kubernetes" help:"A cluster with Crossplane, Kratix, Flux or Argo CD."`
}

// connectFlags are those of every system. Secrets are given by reference, so that they stand in no history of a shell.
type connectFlags struct {
	Name  string `help:"Name of the source." placeholder:"NAME"`
	URL   string `help:"Address of a server of your own." name:"url" placeholder:"URL"`
	Token string `help:"Where the token is: env:NAME or file:PATH." placeholder:"REF"`
	Check bool   `help:"Try only, write nothing."`
}

type connectGitHub struct {
	connectFlags
	Organisation    []string `help:"Organisation whose repositories are read; may be repeated." placeholder:"NAME"`
	User            []string `help:"User whose repositories are read; may be repeated." placeholder:"NAME"`
	AppID           int64    `help:"Number of a GitHub App, instead of a token." placeholder:"N"`
	AppInstallation int64    `help:"Number of its installation (default: that on the organisation)." placeholder:"N"`
	AppKey          string   `help:"Where its private key is: env:NAME or file:PATH." placeholder:"REF"`
	WebhookSecret   []string `help:"Where the secret of its webhooks is: env:NAME or file:PATH; may be repeated." placeholder:"REF"`
}

type connectGitLab struct {
	connectFlags
	Group        []string `help:"Group whose projects are read, with its subgroups; may be repeated." placeholder:"PATH"`
	WebhookToken []string `help:"Where the secret token of its webhooks is: env:NAME or file:PATH; may be repeated." placeholder:"REF"`
}

type connectKubernetes struct {
	Name       string   `help:"Name of the source." placeholder:"NAME"`
	Cluster    string   `help:"Name of the cluster in facts (default: that of the source)." name:"cluster-name" placeholder:"NAME"`
	Kubeconfig string   `help:"Where the kubeconfig is: env:NAME or file:PATH." placeholder:"REF"`
	Context    string   `help:"Context of the kubeconfig (default: its current one)." placeholder:"NAME"`
	InCluster  bool     `help:"Use the service account of the pod that cairn runs in."`
	AuditToken []string `help:"Where the token of the audit log is: env:NAME or file:PATH; may be repeated." placeholder:"REF"`
	Check      bool     `help:"Try only, write nothing."`
}

// Run tries the credential and writes the configuration.
func (c *connectKubernetes) Run(ctx context.Context, w *world, g *Globals) error {
	cfg := kubernetes.DefaultConfig()
	entry := settings{}
	entry.text("name", c.Name, &cfg.Name)
	entry.text("cluster", c.Cluster, &cfg.Cluster)
	entry.text("kubeconfig", c.Kubeconfig, &cfg.Kubeconfig)
	entry.text("context", c.Context, &cfg.Context)
	if c.InCluster {
		cfg.InCluster = true
		entry.put("in_cluster", true)
	}
	entry.list("audit_tokens", c.AuditToken, &cfg.AuditTokens)
	flags := connectFlags{Check: c.Check}
	return flags.connect(ctx, w, g, "kubernetes", cfg.Name, entry, &cfg)
}

// Run tries the credential and writes the configuration.
func (c *connectGitHub) Run(ctx context.Context, w *world, g *Globals) error {
	cfg := github.DefaultConfig()
	entry := settings{}
	entry.text("name", c.Name, &cfg.Name)
	entry.text("url", c.URL, &cfg.URL)
	entry.text("token", c.Token, &cfg.Token)
	if c.AppID != 0 || c.AppKey != "" {
		app := settings{}
		app.number("id", c.AppID, &cfg.App.ID)
		app.number("installation", c.AppInstallation, &cfg.App.Installation)
		app.text("private_key", c.AppKey, &cfg.App.PrivateKey)
		entry.below("app", app)
	}
	entry.list("organisations", c.Organisation, &cfg.Organisations)
	entry.list("users", c.User, &cfg.Users)
	entry.list("webhook_secrets", c.WebhookSecret, &cfg.WebhookSecrets)
	return c.connect(ctx, w, g, "github", cfg.Name, entry, &cfg)
}

// Run tries the credential and writes the configuration.
func (c *connectGitLab) Run(ctx context.Context, w *world, g *Globals) error {
	cfg := gitlab.DefaultConfig()
	entry := settings{}
	entry.text("name", c.Name, &cfg.Name)
	entry.text("url", c.URL, &cfg.URL)
	entry.text("token", c.Token, &cfg.Token)
	entry.list("groups", c.Group, &cfg.Groups)
	entry.list("webhook_tokens", c.WebhookToken, &cfg.WebhookTokens)
	return c.connect(ctx, w, g, "gitlab", cfg.Name, entry, &cfg)
}

// checkPatience is how long a credential is tried.
const checkPatience = 2 * time.Minute

func (c *connectFlags) connect(ctx context.Context, w *world, g *Globals, system, name string, entry settings, config any) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	r, err := rules.New(cfg.Rules)
	if err != nil {
		return err
	}
	revealed, err := secrets{w.getenv}.revealed("connect "+system, config)
	if err != nil {
		return err
	}
	link, err := collectors.Kinds()[system].Link(revealed, collectors.Deps{Rules: r, Clones: filepath.Join(cfg.Store.Data, "clones"), Transport: collectors.DefaultTransportConfig()})
	if err != nil {
		return err
	}
	trying, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	access, err := link.Check(trying)
	if err != nil {
		return err
	}
	tellAccess(w.stdout, access)
	path := g.Config
	if path == "" {
		path = defaultFile
	}
	if c.Check {
		return nil
	}
	if err := addSource(path, system, name, entry); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "\nWritten to %s as %s. Read it now with: cairn collect %s\nFrom then on cairn serve keeps it up to date.\n", path, name, system)
	if link.Receiver != nil {
		fmt.Fprintf(w.stdout, "Webhooks go to http://THIS-HOST%s%s\n", "/hooks/", name)
	}
	return nil
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

// settings are those that stand in a connection's entry of the configuration, in order; what is not given is left out.
type settings []setting

type setting struct {
	key  string
	node *yaml.Node
}

func (s *settings) put(key string, value any) {
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		panic(err) // texts, numbers and lists of texts always encode
	}
	*s = append(*s, setting{key, &n})
}

func (s *settings) text(key, value string, into *string) {
	if value != "" {
		*into = value
		s.put(key, value)
	}
}

func (s *settings) number(key string, value int64, into *int64) {
	if value != 0 {
		*into = value
		s.put(key, value)
	}
}

func (s *settings) list(key string, values []string, into *[]string) {
	if len(values) > 0 {
		*into = slices.Clone(values)
		s.put(key, values)
	}
}

func (s *settings) below(key string, inner settings) {
	*s = append(*s, setting{key, inner.node()})
}

func (s settings) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, one := range s {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: one.key}, one.node)
	}
	return n
}

// addSource adds a connection to the configuration file, which is made when there is none; what else stands in it, with
// its comments, stays. A connection of that name is never replaced.
func addSource(path, system, name string, entry settings) error {
	var document yaml.Node
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Denied, err, "the configuration file")
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fault.New(fault.Invalid, "%s: %w", path, err)
	}
	if document.Kind == 0 { // empty, or comments alone
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Tag: "!!map"}}, HeadComment: strings.TrimSpace(string(text))}
	}
	list := below(below(document.Content[0], "sources", yaml.MappingNode), system, yaml.SequenceNode)
	if list.Kind == yaml.MappingNode { // a single connection, without a list
		single := *list
		*list = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{&single}}
	}
	for _, other := range list.Content {
		if key(other, "name", system) == name {
			return fault.New(fault.Conflict, "%s has a source %s already: change it there, or give this one another name with --name", path, name)
		}
	}
	list.Content = append(list.Content, entry.node())
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&document), e.Close()); err != nil {
		return err
	}
	return replaceFile(path, out.Bytes())
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

// key is the text of a key of a mapping, or what stands for it.
func key(mapping *yaml.Node, name, otherwise string) string {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1].Value
		}
	}
	return otherwise
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
