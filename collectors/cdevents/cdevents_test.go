package cdevents_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/cdevents"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func receiver(t testing.TB, change func(*cdevents.Config)) *cdevents.Receiver {
	t.Helper()
	cfg := cdevents.DefaultConfig()
	cfg.Tokens = []string{"s3cret"}
	if change != nil {
		change(&cfg)
	}
	r, err := cdevents.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fresh(t testing.TB) func() hooktest.Receiver {
	return func() hooktest.Receiver { return receiver(t, nil) }
}

func request(kind, body string) hooktest.Request {
	return hooktest.Request{Header: http.Header{"Authorization": {"Bearer s3cret"}, "Content-Type": {kind}}, Body: []byte(body)}
}

// told is an event in short: what, version, subject, when, content and custom data.
func told(what, version, subject, at, content, custom string) string {
	return fmt.Sprintf(`{"context":{"specversion":"0.5.0","id":"e-%s-%s","source":"/ci","type":"dev.cdevents.%s.%s","timestamp":"2026-02-01T%sZ"},`+
		`"subject":{"id":"%s","type":"x","content":{%s}},"customData":%s}`, subject, what, what, version, at, subject, content, custom)
}

func plain(body string) hooktest.Request { return request("application/json", body) }

func TestTheExamplesOfTheSpecification(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "payloads", "cdevents", "v0.4.1", "conformance"), "*.json"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	const digest = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
	at := time.Date(2023, 3, 20, 14, 27, 5, 315e6, time.UTC)
	detected := time.Date(2022, 11, 11, 13, 52, 20, 79e6, time.UTC)
	tells := func(at time.Time) event.Telling { return event.Telling{Source: "cdevents", UpdatedAt: at} }
	part := func(at time.Time) event.Telling { return tells(at.Add(-2 * time.Millisecond)) }
	deployment := func(predicate string, rollback bool) event.Event {
		return &event.Deployment{
			Telling: tells(at), Service: "mySubject123", ID: "/event/source/123/271069a8-fc18-44f1-b38f-9d70a1695819/" + predicate, Attempt: 1,
			Environment: "test123", Status: "succeeded", FinishedAt: at, Version: digest, Artifact: digest, Rollback: rollback,
		}
	}
	run := func(status string, queued, started, finished time.Time) event.Event {
		return &event.PipelineRun{
			Telling: part(at), Repository: "/event/source/123", ID: "mySubject123", Attempt: 1, Name: "myPipeline", Status: status,
			QueuedAt: queued, StartedAt: started, FinishedAt: finished, URL: "https://www.example.com/mySubject123",
		}
	}
	var never time.Time
	want := map[string]event.Event{
		"service_deployed":     deployment("deployed", false),
		"service_upgraded":     deployment("upgraded", false),
		"service_rolledback":   deployment("rolledback", true),
		"pipelinerun_queued":   run("queued", at, never, never),
		"pipelinerun_started":  run("in_progress", never, at, never),
		"pipelinerun_finished": run("failed", never, never, at),
		"change_created":       &event.ChangeRequest{Telling: part(at), Repository: "TestRepo/TestOrg", ID: "mySubject123", CreatedAt: at, Title: "This PR address a bug from a recent PR"},
		"incident_detected": &event.Incident{
			Telling: part(detected), ID: "/monitoring/prod1/incident-123", Service: "myApp", Title: "Response time above threshold of 100ms", StartedAt: detected, DetectedAt: detected,
		},
		"incident_reported": &event.Incident{
			Telling: part(detected), ID: "/monitoring/prod1/incident-123", Service: "myApp", Title: "Response time above threshold of 100ms", StartedAt: detected,
			Severity: "medium", URL: "https://my-issues.example/incidents/ticket-345",
		},
	}
	var all []hooktest.Request
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, plain(string(body)))
		facts := hooktest.Facts(t, receiver(t, nil), plain(string(body)), now)
		var one event.Event
		if len(facts) > 0 {
			one = facts[0]
		}
		if diff := cmp.Diff(want[name], one); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for kind, envelope := range map[string]string{
			"application/cloudevents+json":       `{"specversion":"1.0","id":"1","source":"/x","type":"t","data":%s}`,
			"application/cloudevents-batch+json": `[{"specversion":"1.0","id":"1","source":"/x","type":"t","data":%s}]`,
		} {
			wrapped := hooktest.Facts(t, receiver(t, nil), request(kind+"; charset=utf-8", fmt.Sprintf(envelope, body)), now)
			if diff := cmp.Diff(hooktest.Tellings(facts), hooktest.Tellings(wrapped)); diff != "" {
				t.Errorf("%s as %s (-plain +wrapped):\n%s", name, kind, diff)
			}
		}
	}
	hooktest.Converges(t, fresh(t), now, all...)
}

func TestWhatArrivesApartIsJoinedInAnyOrder(t *testing.T) {
	instant := func(clock string) time.Time {
		at, _ := time.Parse(time.RFC3339, "2026-02-01T"+clock+"Z")
		return at
	}
	known := hooktest.Converges(t, fresh(t), now,
		plain(told("pipelinerun.queued", "0.1.1", "run-1", "10:00:00", `"pipelineName":"build"`, `{"sha":"c1"}`)),
		plain(told("pipelinerun.started", "0.2.0", "run-1", "10:01:00", `"pipelineName":"build"`, `{}`)),
		plain(told("pipelinerun.finished", "0.3.0-draft", "run-1", "10:05:00", `"outcome":"success"`, `{}`)),
		plain(told("incident.detected", "0.1.0", "i-1", "11:00:00", `"service":{"id":"shop"},"description":"slow"`, `{}`)),
		plain(told("incident.resolved", "0.2.0", "i-1", "12:00:00", `"service":{"id":"shop"},"description":"fast"`, `{}`)),
		plain(told("change.created", "0.1.2", "7", "08:00:00", `"repository":{"id":"acme/shop"},"description":"more"`, `{}`)),
		plain(told("change.merged", "0.1.2", "7", "09:00:00", `"repository":{"id":"acme/shop"}`, `{"sha":"c1"}`)),
	)
	tells := func(clock string, missing time.Duration) event.Telling {
		return event.Telling{Source: "cdevents", UpdatedAt: instant(clock).Add(-missing * time.Millisecond)}
	}
	want := map[string]event.Event{
		"run /ci run-1 1": &event.PipelineRun{Telling: tells("10:05:00", 0), Repository: "/ci", ID: "run-1", Attempt: 1, Name: "build", SHA: "c1", Status: "succeeded",
			QueuedAt: instant("10:00:00"), StartedAt: instant("10:01:00"), FinishedAt: instant("10:05:00")},
		"incident cdevents /ci/i-1": &event.Incident{Telling: tells("12:00:00", 1), ID: "/ci/i-1", Service: "shop", Title: "slow", StartedAt: instant("11:00:00"),
			DetectedAt: instant("11:00:00"), RestoredAt: instant("12:00:00"), ResolvedAt: instant("12:00:00")},
		"change acme/shop 7": &event.ChangeRequest{Telling: tells("09:00:00", 1), Repository: "acme/shop", ID: "7", Title: "more", CreatedAt: instant("08:00:00"),
			MergedAt: instant("09:00:00"), Landed: []string{"c1"}},
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnEndAloneIsNotAnIncidentThatTookNoTime(t *testing.T) {
	heard, err := hooktest.Receive(t, receiver(t, nil), plain(told("incident.resolved", "0.2.0", "i", "12:00:00", "", `{}`)), now)
	if err != nil || heard.Ignored == "" {
		t.Errorf("got %v, %v; want it ignored", heard, err)
	}
	facts := hooktest.Facts(t, receiver(t, nil), plain(told("incident.resolved", "0.2.0", "i", "12:00:00", "", `{"started_at":"2026-02-01T11:30:00+00:00"}`)), now)
	if i := facts[0].(*event.Incident); i.RestoredAt.Sub(i.StartedAt) != 30*time.Minute {
		t.Errorf("got %v to %v", i.StartedAt, i.RestoredAt)
	}
}

func TestTheCommitOfAnArtifact(t *testing.T) {
	sha := strings.Repeat("5f2c", 10)
	for artifact, want := range map[string][]event.Revision{
		"pkg:github/acme/shop@" + sha: {{Repository: "acme/shop", SHA: sha}},
		"pkg:oci/shop@sha256%3Aab?vcs_url=git%2Bhttps%3A%2F%2Fgithub.com%2Facme%2Fshop.git%40" + sha: {{Repository: "acme/shop", SHA: sha}},
		"pkg:oci/shop@sha256%3Aab": nil,
		"pkg:golang/x@v1.2.3":      nil,
		"nonsense":                 nil,
	} {
		body := told("service.deployed", "0.2.0", "shop", "10:00:00", `"environment":{"id":"prod"},"artifactId":"`+artifact+`"`, "{}")
		got := hooktest.Facts(t, receiver(t, nil), plain(body), now)[0].(*event.Deployment)
		if diff := cmp.Diff(want, got.Revisions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", artifact, diff)
		}
	}
	r := receiver(t, func(c *cdevents.Config) { c.CustomData.SHA, c.CustomData.Repository = "git.commit", "git.repo" })
	body := told("service.upgraded", "0.2.0", "shop", "10:00:00", `"environment":{"id":"prod"}`, `{"git":{"commit":"c1","repo":"acme/shop"}}`)
	got := hooktest.Facts(t, r, plain(body), now)[0].(*event.Deployment)
	if diff := cmp.Diff([]event.Revision{{Repository: "acme/shop", SHA: "c1"}}, got.Revisions); diff != "" {
		t.Error(diff)
	}
}

func TestNamesAreThoseOfTheConfiguration(t *testing.T) {
	r := receiver(t, func(c *cdevents.Config) {
		c.Services = []rules.ServiceName{{Match: "team/*", Service: "{1}"}, {Match: "test-*", Service: "none"}}
		c.Environments = []rules.EnvironmentName{{Match: "cluster-7", Environment: "production"}}
		c.Subjects = []string{"service"}
	})
	content := `"environment":{"id":"cluster-7"}`
	got := hooktest.Facts(t, r, plain(told("service.deployed", "0.2.0", "team/shop", "10:00:00", content, "{}")), now)[0].(*event.Deployment)
	if got.Service != "shop" || got.Environment != "production" {
		t.Errorf("got %s in %s", got.Service, got.Environment)
	}
	for _, body := range []string{told("service.deployed", "0.2.0", "test-1", "10:00:00", content, "{}"), told("change.created", "0.2.0", "7", "10:00:00", "", "{}")} {
		if heard, err := hooktest.Receive(t, r, plain(body), now); err != nil || heard.Ignored == "" {
			t.Errorf("%s: got %v, %v; want it ignored", body, heard, err)
		}
	}
}

func TestOnlyWhoShowsWhatWasAgreedIsHeard(t *testing.T) {
	r := receiver(t, func(c *cdevents.Config) {
		c.Basic = hook.Basic{User: "ci", Passwords: []string{"pass"}}
	})
	basic := http.Header{"Authorization": {"Basic Y2k6cGFzcw=="}}
	if err := r.Verify(basic, nil, now); err != nil {
		t.Error(err)
	}
	hooktest.Refuses(t, r, nil, now, map[string]http.Header{
		"nothing": {}, "another token": {"Authorization": {"Bearer other"}}, "another password": {"Authorization": {"Basic Y2k6eA=="}},
	})
	if _, err := cdevents.New(cdevents.DefaultConfig(), nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("without a secret: %v", err)
	}
}

func TestWhatIsNoEventIsNotUnderstood(t *testing.T) {
	r := receiver(t, nil)
	hooktest.Misunderstands(t, r, plain("").Header, "", "[]", `{}`, `{"context":{"type":"com.example"}}`,
		told("service.deployed", "0.2.0", "", "10:00:00", "", "{}"),
		told("service.deployed", "0.2.0", "shop", "25:00:00", "", "{}"),
		strings.Replace(told("incident.detected", "0.2.0", "i", "10:00:00", "", "{}"), "2026", "0001", 1))
	hooktest.Misunderstands(t, r, request("application/cloudevents+json", "").Header, `{}`, `[]`)
}

func FuzzHear(f *testing.F) {
	f.Add(told("service.deployed", "0.2.0", "shop", "10:00:00", `"environment":{"id":"p"},"artifactId":"pkg:oci/a@b?c=d"`, "{}"), "application/json")
	f.Add(`[{"data":`+told("incident.resolved", "0.2.0", "i", "10:00:00", "", `{"started_at":"2026-01-01T00:00:00Z"}`)+`}]`, "application/cloudevents-batch+json")
	r := receiver(f, nil)
	f.Fuzz(func(t *testing.T, body, kind string) {
		q := request(kind, body)
		heard, err := r.Hear(r.Describe(q.Header, q.Body))
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
		for _, fact := range heard.Facts {
			if wrong := event.Validate(fact); wrong != nil {
				t.Errorf("a wrong fact: %v", wrong)
			}
		}
	})
}

// The same event is the same fact in every mode of CloudEvents, and as some producers send it.
func TestEveryModeTellsTheSame(t *testing.T) {
	whole := told("service.deployed", "0.3.0", "shop/é", "10:00:00", `"environment":{"id":"prod"}`, `{"sha":"c1","repository":"acme/shop"}`)
	want := hooktest.Tellings(hooktest.Facts(t, receiver(t, nil), plain(whole), now))
	around := `"specversion":"1.0","type":"dev.cdevents.service.deployed.0.3.0","source":"/ci","id":"e-shop/é-service.deployed"`
	attributes := request("application/cdevents+json; charset=utf-8", `{"subject":{"content":{"environment":"prod"}},"customData":"`+
		base64.StdEncoding.EncodeToString([]byte(`{"sha":"c1","repository":"acme/shop"}`))+`"}`)
	for name, value := range map[string]string{
		"Specversion": "1.0", "Type": "dev.cdevents.service.deployed.0.3.0", "Source": "%2Fci", "Id": "e-shop/%C3%A9-service.deployed",
		"Subject": "shop/%C3%A9", "Time": "2026-02-01T10:00:00Z",
	} {
		attributes.Header.Set("Ce-"+name, value)
	}
	packed := base64.StdEncoding.EncodeToString([]byte(whole))
	for name, q := range map[string]hooktest.Request{
		"binary":            attributes,
		"structured":        request("application/cloudevents+json", `{`+around+`,"datacontenttype":"application/json","data":`+whole+`}`),
		"structured, text":  request("application/cloudevents+json", `{`+around+`,"datacontenttype":"text/plain","data":`+strconv.Quote(whole)+`}`),
		"structured, bytes": request("application/cloudevents+json", `{`+around+`,"data_base64":"`+packed+`"}`),
		"as plain JSON":     request("application/json", `{`+around+`,"data":`+whole+`}`),
		"batch":             request("application/cloudevents-batch+json", `[{`+around+`,"data":`+whole+`}]`),
	} {
		if diff := cmp.Diff(want, hooktest.Tellings(hooktest.Facts(t, receiver(t, nil), q, now))); diff != "" {
			t.Errorf("%s (-plain +so):\n%s", name, diff)
		}
	}
}

func TestABadEventOfABatchLosesNoOther(t *testing.T) {
	good := told("service.deployed", "0.3.0", "shop", "10:00:00", `"environment":{"id":"prod"}`, `{}`)
	r := receiver(t, nil)
	q := request("application/cloudevents-batch+json", `[{"data":`+good+`},{"data":{"context":{"type":"com.example"}}},{"data":`+strings.ReplaceAll(good, "shop", "cart")+`}]`)
	heard, err := r.Hear(r.Describe(q.Header, q.Body))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "event 2 of 3") || len(heard.Facts) != 2 {
		t.Errorf("got %d facts, %v", len(heard.Facts), err)
	}
}

func TestARunNamesItsPageAsTheSpecificationDoesSince05(t *testing.T) {
	got := hooktest.Facts(t, receiver(t, nil), plain(told("pipelinerun.finished", "0.3.0", "run-42", "10:00:00", `"uri":"https://ci.example.com/run/42","outcome":"failure"`, `{}`)), now)[0].(*event.PipelineRun)
	if got.URL != "https://ci.example.com/run/42" {
		t.Errorf("got %q", got.URL)
	}
}
