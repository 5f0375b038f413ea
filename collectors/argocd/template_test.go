package argocd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/internal/event"
	"cairn/internal/hook/hooktest"
	"cairn/internal/sharedtest"
)

// shipped are the objects of the file that the documentation hands out, by their kind.
func shipped(t *testing.T) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sharedtest.Root(t), "docs", "argocd", "notifications.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(sharedtest.Root(t), "docs", "argocd.md"))
	if err != nil || !bytes.Contains(page, append([]byte("```yaml notifications.yaml\n"), text...)) {
		t.Errorf("the page shows another file (%v)", err)
	}
	objects := map[string]map[string]any{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var object map[string]any
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects[object["kind"].(string)] = object
	}
}

// render does what the notifications controller does with our template.
func render(t *testing.T, app map[string]any) []byte {
	t.Helper()
	data := shipped(t)["ConfigMap"]["data"].(map[string]any)
	var hook struct {
		Webhook map[string]struct{ Method, Path, Body string }
	}
	if err := yaml.Unmarshal([]byte(data["template.cairn-sync"].(string)), &hook); err != nil {
		t.Fatal(err)
	}
	if h := hook.Webhook["cairn"]; h.Method != "POST" || h.Path != "/hooks/argocd" {
		t.Errorf("it is sent with %s to %s", h.Method, h.Path)
	}
	body, err := template.New("").Funcs(template.FuncMap{"toJson": func(v any) (string, error) {
		text, err := json.Marshal(v)
		return string(text), err
	}}).Parse(hook.Webhook["cairn"].Body)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := body.Execute(&b, map[string]any{"app": app}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOurTemplateSendsWhatIsHeard(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "argocd", "live-api-applications.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []map[string]any }
	must(json.Unmarshal(text, &list))
	known := hooktest.Known(hooktest.Facts(t, receiver(t, config()), request(render(t, list.Items[0])), time.Time{}))
	if diff := cmp.Diff(jenkins(), known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// An application has labels only if somebody gave it some, and one source or several.
	bare := map[string]any{
		"metadata": map[string]any{"name": "shop", "namespace": "argocd", "uid": "u1"},
		"spec":     map[string]any{"project": "default", "destination": map[string]any{"namespace": "shop"}, "sources": []any{map[string]any{"repoURL": "https://github.com/acme/deploy"}}},
		"status": map[string]any{
			"operationState": map[string]any{"phase": "Failed", "startedAt": minute(0), "finishedAt": minute(1), "message": "one \"quoted\"\nline",
				"syncResult": map[string]any{"revisions": []any{sha(1)}, "sources": []any{map[string]any{"repoURL": "https://github.com/acme/deploy"}}}},
			"health": map[string]any{"status": "Missing"}, "summary": map[string]any{},
		},
	}
	if d := only(t, hooktest.Facts(t, receiver(t, config()), request(render(t, bare)), time.Time{})); d.Status != "failed" || d.Revisions[0] != (event.Revision{Repository: "acme/deploy", SHA: sha(1), Role: "config"}) {
		t.Error(d)
	}
}

func TestOurTriggersTellEverySyncOnce(t *testing.T) {
	objects := shipped(t)
	data := objects["ConfigMap"]["data"].(map[string]any)
	var subscriptions []struct{ Recipients, Triggers []string }
	must(yaml.Unmarshal([]byte(data["subscriptions"].(string)), &subscriptions))
	if len(subscriptions) != 1 || cmp.Diff([]string{"cairn"}, subscriptions[0].Recipients) != "" {
		t.Fatal(subscriptions)
	}
	phases := ""
	for _, name := range subscriptions[0].Triggers {
		var conditions []struct {
			When string
			Once string `yaml:"oncePer"`
			Send []string
		}
		must(yaml.Unmarshal([]byte(data["trigger."+name].(string)), &conditions))
		for _, c := range conditions {
			phases += c.When
			if c.Once != "app.status.operationState.finishedAt" || cmp.Diff([]string{"cairn-sync"}, c.Send) != "" {
				t.Errorf("%s: once per %s, %v", name, c.Once, c.Send)
			}
		}
	}
	for _, phase := range []string{"Succeeded", "Failed", "Error"} {
		if !strings.Contains(phases, "'"+phase+"'") {
			t.Errorf("no trigger is for %s", phase)
		}
	}
	var service struct {
		URL     string
		Headers []struct{ Name, Value string }
	}
	must(yaml.Unmarshal([]byte(data["service.webhook.cairn"].(string)), &service))
	secret := objects["Secret"]["stringData"].(map[string]any)
	for _, h := range service.Headers {
		if key, is := strings.CutPrefix(h.Value, "Bearer $"); h.Name == "Authorization" && (!is || secret[key] == nil) {
			t.Errorf("%s is %s, and the Secret has %v", h.Name, h.Value, secret)
		}
	}
}
