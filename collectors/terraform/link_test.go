package terraform_test

import (
	"testing"

	"cairn/collectors"
	"cairn/internal/event"
	"cairn/internal/source"
)

// As the program connects it, behind the transport: a plan, which lies on another host behind a redirection, arrives.
func TestAsTheProgramConnectsIt(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}}
	c.runs["ws-1"] = []rn{{id: "run-1", status: "applied", changes: true, created: ten, by: "ada", plan: "plan-1", at: times("applied", "10:12:00")}}
	c.plans["plan-1"] = planOf("app.terraform.io/acme/rds/aws")
	cfg := reads()
	cfg.URL, cfg.GoldenModules = c.URL, []string{"app.terraform.io/acme"}
	link, err := collectors.Kinds()["terraform"].Link(&cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()})
	if err != nil {
		t.Fatal(err)
	}
	if link.Receiver == nil || link.Check == nil {
		t.Error("it does not hear, or cannot be checked")
	}
	var told []string
	for range 2 {
		for _, s := range link.Connection.Streams() {
			turn, err := link.Connection.Turn(s, "", now)
			if err != nil {
				t.Fatal(err)
			}
			for e, err := range turn.Events(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if use, ok := e.(*event.CapabilityUse); ok && s.Kind == source.Requests {
					told = append(told, use.State)
				}
			}
		}
	}
	if len(told) != 1 || told[0] != "golden" {
		t.Errorf("the evidence is %q", told)
	}
	cfg.Token = ""
	if link, err := collectors.Kinds()["terraform"].Link(&cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()}); err != nil || link.Connection != nil {
		t.Errorf("without a token: %v, %v", link, err)
	}
	cfg = reads()
	cfg.WebhookSecrets = nil
	if link, err := collectors.Kinds()["terraform"].Link(&cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()}); err != nil || link.Receiver != nil {
		t.Errorf("without a secret: %v, %v", link, err)
	}
}
