package flux_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"cairn/collectors/flux"
	"cairn/internal/event"
	"cairn/internal/hook/hooktest"
	"cairn/internal/sharedtest"
)

// The objects that the documentation hands out fit each other, and what comes of them is heard.
func TestOurAlertSendsWhatIsHeard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(sharedtest.Root(t), "docs", "flux", "alert.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(sharedtest.Root(t), "docs", "flux.md"))
	if err != nil || !bytes.Contains(page, append([]byte("```yaml alert.yaml\n"), text...)) {
		t.Errorf("the page shows another file (%v)", err)
	}
	type object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name, Namespace string }
		StringData map[string]string `yaml:"stringData"`
		Spec       struct {
			Type, Address string
			SecretRef     struct{ Name string }                    `yaml:"secretRef"`
			ProviderRef   struct{ Name string }                    `yaml:"providerRef"`
			Severity      string                                   `yaml:"eventSeverity"`
			Sources       []struct{ Kind, Name, Namespace string } `yaml:"eventSources"`
			EventMetadata map[string]string                        `yaml:"eventMetadata"`
		}
	}
	objects := map[string]object{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		objects[o.Kind] = o
	}
	token, provider, alert := objects["Secret"], objects["Provider"], objects["Alert"]
	if provider.Spec.Type != "generic-hmac" || provider.Spec.Address != "https://your-cairn/hooks/flux" || provider.Spec.SecretRef.Name != token.Metadata.Name || token.StringData["token"] == "" {
		t.Errorf("%+v, %+v", provider, token)
	}
	if alert.Spec.ProviderRef.Name != provider.Metadata.Name || alert.Spec.Severity != "info" || provider.Metadata.Namespace != alert.Metadata.Namespace || token.Metadata.Namespace != provider.Metadata.Namespace {
		t.Errorf("%+v", alert)
	}
	kinds := map[string]bool{}
	for _, s := range alert.Spec.Sources {
		kinds[s.Kind] = true
	}
	if !kinds["Kustomization"] || !kinds["HelmRelease"] || len(kinds) != 2 {
		t.Error(kinds)
	}
	metadata := map[string]string{"revision": "main@sha1:" + sha(1)}
	maps.Copy(metadata, alert.Spec.EventMetadata)
	facts := hooktest.Facts(t, receiver(t, config(func(*flux.Config) {})), happened{reason: "ReconciliationSucceeded", metadata: metadata}.request(), time.Time{})
	if d := facts[0].(*event.Deployment); d.Target != "eu-1" || d.Environment != "production" || d.Service != "shop" {
		t.Error(d)
	}
}
