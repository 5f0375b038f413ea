package kubernetes_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/collectors/kubernetes"
	"cairn/internal/sharedtest"
)

// blocks are the YAML documents of the page about Kubernetes, by kind.
func blocks(t *testing.T) map[string][]map[string]any {
	text, err := os.ReadFile(filepath.Join(sharedtest.Root(t), "docs", "kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]map[string]any{}
	inside, indent := false, ""
	var block bytes.Buffer
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```yaml"):
			inside, indent = true, line[:strings.Index(line, "`")]
			block.Reset()
		case trimmed == "```" && inside:
			inside = false
			for decoder := yaml.NewDecoder(bytes.NewReader(block.Bytes())); ; {
				var document map[string]any
				if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%v in:\n%s", err, block.String())
				}
				kind, _ := document["kind"].(string)
				found[kind] = append(found[kind], document)
			}
		case inside:
			block.WriteString(strings.TrimPrefix(line, indent))
		}
	}
	return found
}

// grant is a verb on a resource of a group.
type grant struct{ group, resource, verb string }

func grants(roles []map[string]any) map[grant]bool {
	all := map[grant]bool{}
	for _, role := range roles {
		for _, rule := range role["rules"].([]any) {
			r := rule.(map[string]any)
			for _, group := range r["apiGroups"].([]any) {
				for _, resource := range r["resources"].([]any) {
					for _, verb := range r["verbs"].([]any) {
						all[grant{group.(string), resource.(string), verb.(string)}] = true
					}
				}
			}
		}
	}
	return all
}

// The roles of the page let cairn do what it does, and nothing else.
func TestTheRolesOfThePageGrantExactlyWhatIsAsked(t *testing.T) {
	c := newCluster(t)
	c.Put(tests, made("u1", "a"))
	for _, kind := range []string{applications, "kustomize.toolkit.fluxcd.io/v1/kustomizations", "helm.toolkit.fluxcd.io/v2/helmreleases"} {
		c.Serve(kind)
	}
	r := newReader(t, c)
	r.read()
	r.read()
	if _, err := r.link.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := map[grant]bool{}
	for _, request := range c.Asked() {
		verb, kind, _ := strings.Cut(request, " ")
		parts := strings.Split(kind, "/")
		if len(parts) != 3 {
			continue // which groups there are may be asked by everybody
		}
		g := grant{parts[0], parts[2], verb}
		if g.group == "nop.example.org" || g.group == "test.kratix.io" || g.group == "example.org" {
			g.group, g.resource = "example.org", "*" // for those of the reader's own
		}
		asked[g] = true
	}
	page := blocks(t)
	if diff := cmp.Diff(asked, grants(page["ClusterRole"]), cmp.AllowUnexported(grant{})); diff != "" {
		t.Errorf("(-asked +granted):\n%s", diff)
	}

	// Each role is bound to the account.
	account := page["ServiceAccount"][0]["metadata"].(map[string]any)
	bound := map[string]bool{}
	for _, b := range page["ClusterRoleBinding"] {
		subject := b["subjects"].([]any)[0].(map[string]any)
		if subject["name"] == account["name"] && subject["namespace"] == account["namespace"] {
			bound[b["roleRef"].(map[string]any)["name"].(string)] = true
		}
	}
	for _, role := range page["ClusterRole"] {
		if name := role["metadata"].(map[string]any)["name"].(string); !bound[name] {
			t.Errorf("the role %s is not bound to the account", name)
		}
	}
	if owner := page["Secret"][0]["metadata"].(map[string]any)["annotations"].(map[string]any)["kubernetes.io/service-account.name"]; owner != account["name"] {
		t.Errorf("the token is that of %v", owner)
	}
}

func TestTheAuditPolicyOfThePageLeavesStatusesOut(t *testing.T) {
	policy := blocks(t)["Policy"][0]
	rules := policy["rules"].([]any)
	first := rules[0].(map[string]any)
	resources := first["resources"].([]any)[0].(map[string]any)["resources"].([]any)
	if first["level"] != "None" || !slices.Contains(resources, any("*/status")) {
		t.Errorf("the first rule is %v: statuses would be sent", first)
	}
	if last := rules[len(rules)-1].(map[string]any); last["level"] != "None" || len(last) != 1 {
		t.Errorf("the last rule is %v: what is not asked for would be sent", last)
	}
}

func TestTheSettingsOfThePageAreThoseThatThereAre(t *testing.T) {
	entry := blocks(t)[""][0]["sources"].(map[string]any)["kubernetes"].([]any)[0]
	text, err := yaml.Marshal(entry)
	if err != nil {
		t.Fatal(err)
	}
	cfg := kubernetes.DefaultConfig()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kubernetes.DefaultConfig().ServiceLabels, cfg.ServiceLabels); diff != "" {
		t.Errorf("the page has other defaults: %s", diff)
	}
	var all map[string]any
	text, err = yaml.Marshal(kubernetes.DefaultConfig())
	if err != nil || yaml.Unmarshal(text, &all) != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(entry.(map[string]any)))); diff != "" {
		t.Errorf("(-settings +page):\n%s", diff)
	}
}
