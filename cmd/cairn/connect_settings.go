package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gopkg.in/yaml.v3"

	"cairn/collectors"
	"cairn/internal/fault"
)

// option is one setting of a system that the command line can give.
type option struct {
	key    string // with dots where it lies deeper: app.id
	t      reflect.Type
	secret bool
	whole  bool // it has others below it, which are what is listed
	help   string
}

// settingsText says what each setting is, by the type that has it and its key. It is made of the comments of the code.
//
//go:embed settings.json
var settingsText []byte

// usual says it of settings that mean the same everywhere and have no comment of their own.
var usual = map[string]string{
	"actions":             "patterns of those that are told; left out: all",
	"api_key":             "key of the API; without one nothing is read",
	"client_secret":       "its secret; webhooks are signed with it, too",
	"context":             "context of the kubeconfig; left out: its current one",
	"deployments":         "which workspaces deploy a service: [{workspace: 'shop-*', service: shop, environment: production}]",
	"environment":         "environment where nothing else says it",
	"environment_labels":  "labels or annotations that name the environment: the first that there is",
	"every":               "how long news may wait",
	"exclude":             "patterns of those that are not read",
	"forks":               "forks, too",
	"header":              "the header that the secret stands in",
	"incidents":           "what is an incident, as patterns by path: {issue.fields.issuetype.name: [Incident]}",
	"include":             "patterns of those that are read; left out: all",
	"name":                "name of the source, for ever: positions, facts and webhooks (/hooks/NAME) go by it",
	"passwords":           "passwords of the user that webhooks come with: one, or two while one replaces the other",
	"requester_labels":    "labels or annotations that say who asked: the first that there is",
	"secrets":             "secrets of webhooks: one, or two while one replaces the other",
	"service_labels":      "labels or annotations that name the service: the first that there is",
	"since":               "how far back history is read; left out: all of it",
	"source_repositories": "which repository of its own a service has: [{match: shop, repository: acme/shop}]",
	"surveys":             "which form is which survey; write these into the file",
	"team_labels":         "labels or annotations that name the team: the first that there is",
	"teams":               "which team a name is: [{match: '*', team: 'acme/{1}'}]",
	"token":               "credential to read with",
	"url":                 "address of the system",
	"user":                "the user",
	"users":               "those whose repositories are read",
	"webhook_secrets":     "what webhooks are signed with: one, or two while one replaces the other",
	"withdrawn":           "what turned out to be none, as patterns by path",
}

// leading says what settings are that have the same name and purpose in many systems, before what the system's own
// comment adds.
var leading = map[string]string{
	"environments":   "which environment a name is, [{match: 'prod-*', environment: production}]",
	"repositories":   "which repository a name is, [{match: '*', repository: 'acme/{1}'}]",
	"services":       "which service a name is, [{match: '*-prod', service: '{1}'}], or none",
	"tokens":         "secrets that webhooks come with",
	"webhook_tokens": "secrets that webhooks come with",
}

// optionsOf lists the settings of a system in the order of its configuration.
func optionsOf(system string) []option {
	comments := map[string]string{}
	if err := json.Unmarshal(settingsText, &comments); err != nil {
		panic(err) // a test reads it
	}
	systems := map[reflect.Type]string{}
	for name, kind := range collectors.Kinds() {
		systems[reflect.TypeOf(kind.Config()).Elem()] = name
	}
	var list []option
	var walk func(v reflect.Value, prefix string)
	walk = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			key := yamlKey(field)
			if !field.IsExported() || key == "" {
				continue
			}
			o := option{key: prefix + key, t: field.Type, secret: field.Tag.Get("secret") == "true"}
			other := systems[field.Type]
			if field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[time.Time]() && other == "" {
				o.whole = true
				list = append(list, o)
				walk(v.Field(i), o.key+".")
				continue
			}
			o.help = comments[v.Type().String()+"."+key]
			switch lead := leading[key]; {
			case lead != "" && o.help != "":
				o.help = lead + ": " + o.help
			case o.help == "":
				o.help = cmp.Or(lead, usual[key], pathsIn(v.Type(), key))
			}
			if other != "" {
				o.help = "settings of the source " + other + ", without secrets"
			} else if d := defaultText(v.Field(i)); d != "" && key != "name" {
				o.help = strings.TrimPrefix(o.help+"; ", "; ") + "default: " + d
			}
			list = append(list, o)
		}
	}
	walk(reflect.ValueOf(collectors.Kinds()[system].Config()).Elem(), "")
	return list
}

// pathsIn says what a list of paths in somebody's JSON is.
func pathsIn(t reflect.Type, key string) string {
	if t.Name() != "Fields" {
		return ""
	}
	return "where in the JSON the ticket's " + key + " stands: the first path at which something does"
}

// defaultText is a default as it is written in the file; "" for none, or for one too long to be told in passing.
func defaultText(v reflect.Value) string {
	if v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		return ""
	}
	var n yaml.Node
	if err := n.Encode(v.Interface()); err != nil {
		return ""
	}
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(&n)
	if err != nil || len(text) > 60 {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// secretLists are the keys of lists of secrets: those that webhooks come with. What cairn itself shows is a single one.
func secretLists(options []option) (keys []string) {
	for _, o := range options {
		if o.secret && o.t.Kind() == reflect.Slice {
			keys = append(keys, o.key)
		}
	}
	return keys
}

// form is how a value is written.
func (o option) form() string {
	switch {
	case o.secret:
		return "REF"
	case o.t == reflect.TypeFor[time.Duration]():
		return "15m"
	case o.t == reflect.TypeFor[time.Time]():
		return "2026-01-31T00:00:00Z"
	}
	switch o.t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "NUMBER"
	case reflect.String:
		return "TEXT"
	case reflect.Slice:
		if o.t.Elem().Kind() == reflect.String {
			return "A,B"
		}
		return "[{…}] in YAML"
	}
	return "{…} in YAML"
}

// tellOptions lists settings, a line each.
func tellOptions(out io.Writer, options []option) {
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	for _, o := range options {
		if !o.whole {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", o.key, o.form(), o.help)
		}
	}
	t.Flush()
	fmt.Fprintln(out, "\n  REF is env:NAME or file:PATH: where the secret is, never the secret itself.")
}

var givenSetting = regexp.MustCompile(`^[a-z][a-z_]*(\.[a-z_]+)*=`)

// settingsLast puts settings behind flags: the parser takes arguments in one run.
func settingsLast(args []string) []string {
	var first, last []string
	for _, a := range args {
		if givenSetting.MatchString(a) {
			last = append(last, a)
		} else {
			first = append(first, a)
		}
	}
	return append(first, last...)
}

// entryOf makes a connection's entry in the configuration of settings KEY=VALUE, and what it decodes to. What is not given
// is left out. A list is given with commas between, by giving its key again, or in YAML like everything that is deeper.
func entryOf(system string, options []option, given []string) (*yaml.Node, any, error) {
	entry := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, text := range given {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, nil, fault.New(fault.Invalid, "a setting is KEY=VALUE, such as %s", options[0].key+"="+system) // not the text itself, which may be a secret
		}
		at := slices.IndexFunc(options, func(o option) bool { return o.key == key })
		if at < 0 {
			var keys []string
			for _, o := range options {
				keys = append(keys, o.key)
			}
			meant, _, _ := strings.Cut(nearest(key, keys), "; there are:")
			var list strings.Builder
			tellOptions(&list, options)
			return nil, nil, fault.New(fault.Invalid, "%s has no setting %q%s\nIts settings are, as KEY=VALUE:\n\n%s", system, key, meant, list.String())
		}
		if err := options[at].put(entry, value); err != nil {
			return nil, nil, err
		}
	}
	for i := 2; i+1 < len(entry.Content); i += 2 {
		if entry.Content[i].Value == "name" { // it comes first, as everybody writes it
			entry.Content = slices.Concat(entry.Content[i:i+2], entry.Content[:i], entry.Content[i+2:])
			break
		}
	}
	config := collectors.Kinds()[system].Config()
	if err := entry.Decode(config); err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "%s", system)
	}
	return entry, config, nil
}

// put writes a value into an entry, under the option's key.
func (o option) put(entry *yaml.Node, value string) error {
	texts := o.t.Kind() == reflect.Slice && o.t.Elem().Kind() == reflect.String
	var n yaml.Node
	switch {
	case o.t.Kind() == reflect.String:
		if err := n.Encode(value); err != nil {
			return o.mistake(err)
		}
	case texts && !strings.HasPrefix(value, "["):
		var list []string
		for one := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(one))
		}
		if err := n.Encode(list); err != nil {
			return o.mistake(err)
		}
		n.Style = yaml.FlowStyle
	default:
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(value), &document); err != nil || len(document.Content) != 1 {
			return o.mistake(err)
		}
		n = *document.Content[0]
	}
	if err := knownKeys(&n, o.t); err != nil {
		return o.mistake(err)
	}
	if err := n.Decode(reflect.New(o.t).Interface()); err != nil {
		return o.mistake(nil) // the decoder's words are about Go
	}
	path := strings.Split(o.key, ".")
	for _, part := range path[:len(path)-1] {
		entry = below(entry, part, yaml.MappingNode)
	}
	last := path[len(path)-1]
	for i := 0; i+1 < len(entry.Content); i += 2 {
		if entry.Content[i].Value != last {
			continue
		}
		if !texts {
			return fault.New(fault.Invalid, "%s is given twice", o.key)
		}
		entry.Content[i+1].Content = append(entry.Content[i+1].Content, n.Content...)
		return nil
	}
	entry.Content = append(entry.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: last}, &n)
	return nil
}

// mistake says that a value is not what the setting takes. It does not repeat it: it may be a secret.
func (o option) mistake(err error) error {
	if err == nil {
		return fault.New(fault.Invalid, "%s is written as %s%s", o.key, o.form(), strings.TrimSuffix(": "+o.help, ": "))
	}
	what := err.Error()
	if strings.HasPrefix(what, "line ") {
		_, what, _ = strings.Cut(what, ": ")
	}
	return fault.New(fault.Invalid, "%s: %s", o.key, strings.TrimPrefix(what, "yaml: "))
}
