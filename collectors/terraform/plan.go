package terraform

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
)

// plan is what a plan says of what is used and what changes.
type plan struct {
	at      time.Time
	errored bool
	modules []module // all that the configuration calls, outermost first
	changed []string // sources of the outermost modules in which something changes
	types   []string // of resources that change outside modules
	changes bool
	empty   bool // the configuration has neither modules nor resources
}

// module is a module that a configuration calls.
type module struct{ source, version string }

func (m module) String() string {
	if m.version == "" {
		return m.source
	}
	return m.source + " " + m.version
}

// configuration is a module's, as the JSON form of plans has it.
type configuration struct {
	Resources []struct {
		Type, Mode string
	} `json:"resources"`
	Calls map[string]struct {
		Source  string         `json:"source"`
		Version string         `json:"version_constraint"`
		Module  *configuration `json:"module"`
	} `json:"module_calls"`
}

// readPlan reads the JSON form of a plan, terraform show -json, at the beginning of a text. Errors are fault.Invalid.
func readPlan(text []byte) (*plan, error) {
	var p struct {
		Format        string `json:"format_version"`
		Errored       bool   `json:"errored"`
		Timestamp     string `json:"timestamp"`
		Configuration struct {
			Root configuration `json:"root_module"`
		} `json:"configuration"`
		Changes []struct {
			Module string `json:"module_address"`
			Mode   string `json:"mode"`
			Type   string `json:"type"`
			Change struct {
				Actions []string `json:"actions"`
			} `json:"change"`
		} `json:"resource_changes"`
		Values json.RawMessage `json:"values"` // of a state
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&p); err != nil { // other words may follow
		return nil, fault.New(fault.Invalid, "the plan cannot be read: %w", err)
	}
	switch {
	case p.Format == "":
		return nil, fault.New(fault.Invalid, "it has no format_version: expected a plan as terraform show -json prints it")
	case p.Values != nil:
		return nil, fault.New(fault.Invalid, "it is a state: expected a plan, as terraform show -json PLANFILE prints it")
	}
	at, err := hook.Instant("timestamp", p.Timestamp)
	if err != nil {
		return nil, err
	}
	root := p.Configuration.Root
	read := &plan{at: at, errored: p.Errored}
	read.collect(&root)
	read.empty = len(read.modules) == 0 && len(root.Resources) == 0
	changed, types := map[string]bool{}, map[string]bool{}
	for _, c := range p.Changes {
		if c.Mode == "data" || !acts(c.Change.Actions) {
			continue
		}
		read.changes = true
		if call, ok := root.Calls[callOf(c.Module)]; ok {
			changed[call.Source] = true
		} else {
			types[c.Type] = true
		}
	}
	read.changed, read.types = slices.Sorted(maps.Keys(changed)), slices.Sorted(maps.Keys(types))
	return read, nil
}

// acts says whether actions change anything.
func acts(actions []string) bool {
	return slices.ContainsFunc(actions, func(a string) bool { return a == "create" || a == "update" || a == "delete" })
}

// callOf is the name of the outermost module of an address: db of module.db["a.b"].module.inner.
func callOf(address string) string {
	name, _ := strings.CutPrefix(address, "module.")
	if at := strings.IndexAny(name, ".["); at >= 0 {
		name = name[:at]
	}
	return name
}

// collect takes in the modules that a configuration calls, by name.
func (p *plan) collect(c *configuration) {
	for _, name := range slices.Sorted(maps.Keys(c.Calls)) {
		call := c.Calls[name]
		if m := (module{call.Source, call.Version}); call.Source != "" && !slices.Contains(p.modules, m) {
			p.modules = append(p.modules, m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Calls)) {
		if inner := c.Calls[name].Module; inner != nil {
			p.collect(inner)
		}
	}
}

// resource is the name of the one thing that changes: that of a module, or a type of resource.
func (p *plan) resource() string {
	switch {
	case len(p.changed) == 1 && len(p.types) == 0:
		return moduleName(p.changed[0])
	case len(p.changed) == 0 && len(p.types) == 1:
		return p.types[0]
	}
	return someResource
}

// moduleName is the name in a module's source: rds of app.terraform.io/acme/rds/aws, network of
// git::https://github.com/acme/network.git?ref=v1, db of ./modules/db.
func moduleName(source string) string {
	local := strings.HasPrefix(source, ".") || strings.HasPrefix(source, "/")
	source, _, _ = strings.Cut(source, "?")
	if at := strings.LastIndex(source, "//"); at > 0 && source[at-1] != ':' { // a folder of a package
		source, local = source[at+2:], true
	}
	remote := strings.Contains(source, "::") || strings.Contains(source, "://") || strings.Contains(source, "@") || strings.HasPrefix(source, "github.com/") ||
		strings.HasPrefix(source, "bitbucket.org/")
	parts := strings.FieldsFunc(source, func(c rune) bool { return c == '/' || c == ':' })
	last := len(parts) - 1
	switch {
	case last < 0:
		return someResource
	case !local && !remote && last >= 2: // [HOST/]NAMESPACE/NAME/PROVIDER
		return parts[last-1]
	}
	return strings.TrimSuffix(parts[last], ".git")
}

// own says what a configuration is made of that has no golden module.
func (p *plan) own() string {
	if len(p.modules) == 0 {
		return "resources without a module"
	}
	var all []string
	for _, m := range p.modules[:min(len(p.modules), 10)] {
		all = append(all, m.String())
	}
	return strings.Join(all, ", ")
}
