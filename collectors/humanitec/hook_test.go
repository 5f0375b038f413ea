package humanitec_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/humanitec"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

func receiver(t testing.TB, token string) *humanitec.Receiver {
	t.Helper()
	cfg := settings(humanitec.V1)
	cfg.Token, cfg.Header.Header, cfg.Header.Secrets = token, "X-Cairn-Token", []string{"older", "correct-horse"}
	c, err := humanitec.New(cfg, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Receiver()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// filled is the template with values in their places; the others stay as they are.
func filled(pairs ...string) hooktest.Request {
	return hooktest.Request{Header: http.Header{"X-Cairn-Token": {"correct-horse"}}, Body: []byte(strings.NewReplacer(pairs...).Replace(humanitec.Template))}
}

func happened(what, at, status string) hooktest.Request {
	return filled("${event}", what, "${triggered_at}", "2026-02-01T"+at+"Z", "${triggered_by}", "ada", "${org_id}", "acme", "${app_id}", "shop", "${env_id}", "production", "${deploy_id}", "d1",
		"${set_id}", "s1", "${status}", status)
}

func TestWithATokenWebhooksSayWhatToReadAgain(t *testing.T) {
	r := receiver(t, "token")
	for _, tt := range []struct {
		q    hooktest.Request
		want source.Wake
	}{
		{happened("deployment.started", "10:00:00", "${status}"), source.Wake{Stream: "shop/deployments", Subject: "production/d1"}},
		{happened("deployment.finished", "10:05:00", "succeeded"), source.Wake{Stream: "shop/deployments", Subject: "production/d1"}},
		{filled("${event}", "environment.created", "${org_id}", "acme", "${app_id}", "shop", "${env_id}", "pr-7"), source.Wake{Stream: "shop/deployments"}},
	} {
		heard, err := hooktest.Receive(t, r, tt.q, ten)
		if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{tt.want}}, heard); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if heard, err := hooktest.Receive(t, r, filled("${event}", "deployment.started", "${org_id}", "other", "${app_id}", "shop"), ten); err != nil || heard.Ignored != "another organisation" {
		t.Errorf("got %v, %v", heard, err)
	}
}

func TestWithoutATokenADeploymentIsToldFromItsWebhooks(t *testing.T) {
	fresh := func() hooktest.Receiver { return receiver(t, "") }
	at := func(text string) time.Time { return instant("2026-02-01T" + text + "Z") }
	want := &event.Deployment{
		// A second and a millisecond before the end: the API knows more.
		Telling: event.Telling{Source: "humanitec", UpdatedAt: at("10:04:58.999")}, Service: "shop", ID: "acme/shop/production/d1", Attempt: 1, Environment: "production", Status: "succeeded",
		CreatedAt: at("10:00:00"), StartedAt: at("10:00:00"), FinishedAt: at("10:05:00"), Tool: "humanitec", Actor: "ada", Artifact: "s1",
	}
	known := hooktest.Converges(t, fresh, ten, happened("deployment.started", "10:00:00", "in progress"), happened("deployment.finished", "10:05:00", "succeeded"))
	if diff := cmp.Diff(map[string]event.Event{"deployment shop acme/shop/production/d1 1": want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	known = hooktest.Converges(t, fresh, ten, happened("deployment.finished", "10:05:00", "failed"))
	if d := known["deployment shop acme/shop/production/d1 1"].(*event.Deployment); d.Status != "failed" || !d.FinishedAt.Equal(at("10:05:00")) || !d.StartedAt.IsZero() {
		t.Errorf("an end alone: %+v", d)
	}
	if heard, err := hooktest.Receive(t, fresh(), filled("${event}", "environment.deleted", "${org_id}", "acme", "${app_id}", "shop"), ten); err != nil || heard.Ignored == "" {
		t.Errorf("an environment: got %v, %v", heard, err)
	}
}

func TestWhoHasNotTheSecretIsRefused(t *testing.T) {
	r := receiver(t, "")
	q := happened("deployment.started", "10:00:00", "pending")
	hooktest.Refuses(t, r, q.Body, ten, map[string]http.Header{"none": {}, "another": {"X-Cairn-Token": {"x"}}, "two": {"X-Cairn-Token": {"correct-horse", "correct-horse"}}})
	hooktest.Misunderstands(t, r, q.Header, "", "{}", "[]", humanitec.Template, string(filled("${event}", "deployment.started").Body),
		string(filled("${event}", "deployment.started", "${org_id}", "acme", "${app_id}", "shop").Body), string(filled("${event}", "deployment.painted", "${org_id}", "acme", "${app_id}", "shop").Body),
		string(happened("deployment.finished", "10:00:00", "dreaming").Body), string(happened("deployment.finished", "noon", "failed").Body))
}

// The documentation ships the template that is tested.
func TestTheDocumentationHasTheTemplate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(sharedtest.Root(t), "docs", "humanitec.md"))
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), "") }
	if !strings.Contains(words(string(text)), words(humanitec.Template)) {
		t.Errorf("docs/humanitec.md has not the template\n%s", humanitec.Template)
	}
}

func FuzzHear(f *testing.F) {
	f.Add(happened("deployment.finished", "10:05:00", "succeeded").Body)
	r := receiver(f, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
