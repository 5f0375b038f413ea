package terraform_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/terraform"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const secret = "correct-horse"

// hears are settings of a connection that only hears.
func hears() terraform.Config {
	cfg := terraform.DefaultConfig()
	cfg.WebhookSecrets = []string{"an older one", secret}
	cfg.Services = []rules.ServiceName{{Match: "sandbox-*", Service: "none"}, {Match: "*-prod", Service: "{1}"}}
	cfg.Environments = []rules.EnvironmentName{{Match: "*-prod", Environment: "production"}}
	return cfg
}

// reads are settings of a connection that reads, too.
func reads() terraform.Config {
	cfg := hears()
	cfg.Token, cfg.Organisations = "token", []string{"acme-org"}
	return cfg
}

func receiver(t testing.TB, cfg terraform.Config) *terraform.Receiver {
	t.Helper()
	c, err := terraform.New(cfg, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Receiver()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signed(body string) hooktest.Request {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write([]byte(body))
	return hooktest.Request{Header: http.Header{"X-Tfe-Notification-Signature": {hex.EncodeToString(mac.Sum(nil))}}, Body: []byte(body)}
}

// happened is a notification of the run r-1, which ada began at 10:00.
func happened(trigger, status, at, by string) hooktest.Request {
	return signed(fmt.Sprintf(`{"payload_version":1,"notification_configuration_id":"nc-1","run_url":"https://app.terraform.io/app/acme-org/shop-prod/runs/run-1","run_id":"run-1",`+
		`"run_message":"More queues","run_created_at":"2026-02-01T10:00:00.000Z","run_created_by":"ada","workspace_id":"ws-1","workspace_name":"shop-prod","organization_name":"acme-org",`+
		`"notifications":[{"message":"m","trigger":"run:%s","run_status":"%s","run_updated_at":"2026-02-01T%s","run_updated_by":"%s"}]}`, trigger, status, at, by))
}

func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

var now = instant("2026-02-01T12:00:00Z")

// Every payload of the documentation, as what it is when it arrives as a notification.
func TestTheDocumentationsPayloads(t *testing.T) {

	run := []source.Wake{{Stream: "ws-XdeUVMWShTesDMME/requests", Subject: "run-FwnENkvDnrpyFC7M"}}
	want := map[string]struct {
		ignored string
		wakes   []source.Wake // with a token
		without string        // why it is ignored without one, where that differs
	}{
		// A canceled run, of which without the API nobody knows whether it would have changed anything.
		"notification-configurations.00": {wakes: run, without: "a run that is not known to change anything"},
		"notification-configurations.02": {ignored: "an assessment, which asks for nothing"},
		"notification-configurations.03": {ignored: "a reminder"},
		// It names the workspace by its name alone, and that is not known here: the list of workspaces has to be read first.
		"notification-configurations.04": {wakes: []source.Wake{{Stream: "workspaces"}}, without: "only the API tells it whole, and there is no token"},
		"notification-configurations.05": {ignored: "a removal that did not begin"},
		"run-tasks-integration.00":       {ignored: "a request for a run task"},
	}
	files, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "payloads", "terraform", "doc"), "*.json"))
	if err != nil || len(files) != 43 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path[:len(path)-len(".json")])
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Payload json.RawMessage }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		q := signed(string(file.Payload))
		w, known := want[name]
		for _, cfg := range []terraform.Config{reads(), hears()} {
			r := receiver(t, cfg)
			if !known {
				if err := r.Verify(q.Header, q.Body, now); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				hooktest.Misunderstands(t, r, q.Header, string(q.Body))
				continue
			}
			expected := source.Heard{Ignored: w.ignored, Wakes: w.wakes}
			if !cfg.Reads() && w.without != "" {
				expected = source.Heard{Ignored: w.without}
			}
			heard, err := hooktest.Receive(t, r, q, now)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(expected, heard); diff != "" {
				t.Errorf("%s, token %v (-want +got):\n%s", name, cfg.Reads(), diff)
			}
		}
	}
}

// Terraform enables a configuration only when this is answered with 2xx; all that is about a run is null.
func TestTheVerificationIsTaken(t *testing.T) {
	q := signed(`{"payload_version":1,"notification_configuration_id":"nc-1","run_url":null,"run_id":null,"run_message":null,"run_created_at":null,"run_created_by":null,` +
		`"workspace_id":null,"workspace_name":null,"organization_name":null,"notifications":[{"message":"Verification of cairn","trigger":"verification","run_status":null,"run_updated_at":null,"run_updated_by":null}]}`)
	for _, cfg := range []terraform.Config{reads(), hears()} {
		heard, err := hooktest.Receive(t, receiver(t, cfg), q, now)
		if err != nil || heard.Ignored != "the request with which Terraform tries the address" {
			t.Errorf("got %v, %v", heard, err)
		}
	}
}

func TestWithoutATokenARunIsToldFromItsNotifications(t *testing.T) {
	fresh := func() hooktest.Receiver { return receiver(t, hears()) }
	request := func(status string, change func(*event.ProvisioningRequest)) *event.ProvisioningRequest {
		e := &event.ProvisioningRequest{
			Telling: event.Telling{Source: "terraform"}, ID: "run-1", Service: "shop", Requester: "ada", ResourceType: "infrastructure", Way: "terraform_module",
			Environment: "production", Status: status, RequestedAt: instant("2026-02-01T10:00:00Z"), URL: "https://app.terraform.io/app/acme-org/shop-prod/runs/run-1",
		}
		change(e)
		return e
	}
	for name, tt := range map[string]struct {
		story []hooktest.Request
		want  *event.ProvisioningRequest
	}{
		"somebody else agrees": {
			[]hooktest.Request{
				happened("created", "pending", "10:00:00.100Z", "ada"), happened("planning", "planning", "10:00:01Z", "ada"), happened("needs_attention", "planned", "10:01:00Z", "ada"),
				happened("applying", "applying", "11:01:00Z", "grace"), happened("completed", "applied", "11:05:00.500Z", "grace"),
			},
			// 11:05:00.5 less a second, and a millisecond for run:errored, which is not among what was heard.
			request("ready", func(e *event.ProvisioningRequest) {
				e.ApprovedAt, e.ReadyAt, e.UpdatedAt = instant("2026-02-01T11:01:00Z"), instant("2026-02-01T11:05:00.5Z"), instant("2026-02-01T11:04:59.499Z")
			}),
		},
		"nobody has to agree": {
			[]hooktest.Request{happened("created", "pending", "10:00:00Z", "ada"), happened("applying", "applying", "10:01:00Z", "ada"), happened("completed", "applied", "10:05:00Z", "ada")},
			request("ready", func(e *event.ProvisioningRequest) {
				e.OnPlatform, e.ReadyAt, e.UpdatedAt = true, instant("2026-02-01T10:05:00Z"), instant("2026-02-01T10:04:58.997Z")
			}),
		},
		"who asked agrees": {
			[]hooktest.Request{happened("needs_attention", "planned", "10:01:00Z", "ada"), happened("applying", "applying", "10:02:00Z", "ada")},
			request("in_progress", func(e *event.ProvisioningRequest) {
				e.OnPlatform, e.ApprovedAt, e.UpdatedAt = true, instant("2026-02-01T10:02:00Z"), instant("2026-02-01T10:01:58.996Z")
			}),
		},
		"it waits for somebody": {
			[]hooktest.Request{happened("needs_attention", "policy_override", "10:01:00Z", "ada")},
			request("requested", func(e *event.ProvisioningRequest) { e.UpdatedAt = instant("2026-02-01T10:00:58.995Z") }),
		},
		"it is turned down": {
			[]hooktest.Request{happened("needs_attention", "planned", "10:01:00Z", "ada"), happened("errored", "discarded", "10:30:00Z", "grace")},
			request("failed", func(e *event.ProvisioningRequest) {
				e.FailedAt, e.UpdatedAt = instant("2026-02-01T10:30:00Z"), instant("2026-02-01T10:29:58.996Z")
			}),
		},
		"its plan fails": {
			[]hooktest.Request{happened("created", "pending", "10:00:00Z", "ada"), happened("errored", "errored", "10:01:00Z", "ada")},
			request("failed", func(e *event.ProvisioningRequest) {
				e.FailedAt, e.UpdatedAt = instant("2026-02-01T10:01:00Z"), instant("2026-02-01T10:00:58.996Z")
			}),
		},
		"it finds nothing to change": {
			[]hooktest.Request{happened("created", "pending", "10:00:00Z", "ada"), happened("completed", "planned_and_finished", "10:01:00Z", "ada")}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]event.Event{}
			if tt.want != nil {
				want["request terraform run-1"] = tt.want
			}
			if diff := cmp.Diff(want, hooktest.Converges(t, fresh, now, tt.story...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithATokenEveryNotificationOfARunWakesIt(t *testing.T) {
	r := receiver(t, reads())
	for _, q := range []hooktest.Request{happened("created", "pending", "10:00:00Z", "ada"), happened("completed", "applied", "10:05:00Z", "ada"), happened("errored", "errored", "10:05:00Z", "ada")} {
		heard, err := hooktest.Receive(t, r, q, now)
		if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{{Stream: "ws-1/requests", Subject: "run-1"}}}, heard); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	heard, err := hooktest.Receive(t, r, signed(`{"payload_version":"2","trigger_scope":"workspace","trigger":"workspace:deleted","details":{}}`), now)
	if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{{Stream: "workspaces"}}}, heard); diff != "" || err != nil {
		t.Errorf("a deleted workspace: %v (-want +got):\n%s", err, diff)
	}
	// The documentation's list and its sample call it differently.
	for _, trigger := range []string{"workspace:auto_destroy_results", "workspace:auto_destroy_run_results"} {
		heard, err := hooktest.Receive(t, r, signed(`{"payload_version":"2","trigger_scope":"workspace","trigger":"`+trigger+`","details":{"run_external_id":"run-9","workspace_id":"ws-1","workspace_name":"shop-prod"}}`), now)
		if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{{Stream: "ws-1/requests", Subject: "run-9"}}}, heard); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", trigger, err, diff)
		}
	}
	cfg := reads()
	cfg.Workspaces.Exclude = []string{"*-prod"}
	if heard, err := hooktest.Receive(t, receiver(t, cfg), happened("created", "pending", "10:00:00Z", "ada"), now); err != nil || heard.Ignored == "" {
		t.Errorf("a workspace that is left out: got %v, %v", heard, err)
	}
}

func TestWhoHasNotTheSecretIsRefused(t *testing.T) {
	r := receiver(t, hears())
	q := happened("created", "pending", "10:00:00Z", "ada")
	hooktest.Refuses(t, r, append(q.Body, ' '), now, map[string]http.Header{
		"changed": q.Header, "unsigned": {}, "no hexadecimal": {"X-Tfe-Notification-Signature": {"x"}}, "empty": {"X-Tfe-Notification-Signature": {""}},
	})
	hooktest.Misunderstands(t, r, q.Header, "", "{}", "[]", "null", `{"payload_version":3}`, `{"payload_version":1,"notifications":[{"trigger":"run:dreaming"}]}`,
		`{"payload_version":1,"notifications":[{"trigger":"run:created"}]}`, `{"payload_version":"2","trigger":"workspace:painted"}`,
		`{"payload_version":1,"run_id":"run-1","workspace_id":"ws-1","workspace_name":"w","run_created_at":"yesterday","notifications":[{"trigger":"run:created"}]}`)
}

func TestASettingThatCannotBeIsNamed(t *testing.T) {
	for _, change := range []func(*terraform.Config){
		func(c *terraform.Config) { c.Token, c.WebhookSecrets = "", nil },
		func(c *terraform.Config) { c.WebhookSecrets = []string{" "} },
		func(c *terraform.Config) { c.Organisations = nil },
		func(c *terraform.Config) { c.Organisations = []string{"acme/../x"} },
		func(c *terraform.Config) { c.Name = "A" },
		func(c *terraform.Config) { c.Token = "a b" },
		func(c *terraform.Config) { c.URL = "ftp://x" },
		func(c *terraform.Config) { c.URL = "https://user:pass@x" },
		func(c *terraform.Config) { c.Every = time.Second },
		func(c *terraform.Config) { c.Workspaces.Include = []string{"["} },
		func(c *terraform.Config) { c.Services = []rules.ServiceName{{Match: "a"}} },
		func(c *terraform.Config) { c.Environments = []rules.EnvironmentName{{Match: "a"}} },
		func(c *terraform.Config) { c.Resources = []rules.ResourceName{{Match: "a"}} },
		func(c *terraform.Config) { c.GoldenModules = []string{""} },
		func(c *terraform.Config) { c.Deployments = []terraform.DeploymentRule{{Workspace: "a"}} },
	} {
		cfg := reads()
		change(&cfg)
		if _, err := terraform.New(cfg, http.DefaultClient); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: got %v, want it invalid", cfg, err)
		}
	}
}

func FuzzHear(f *testing.F) {
	f.Add(happened("completed", "applied", "10:05:00Z", "ada").Body)
	f.Add([]byte(`{"payload_version":"2","trigger":"workspace:auto_destroy_results","details":{"run_external_id":"run-1","workspace_name":"w"}}`))
	r := receiver(f, hears())
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
