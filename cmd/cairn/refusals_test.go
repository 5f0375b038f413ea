package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/collectors"
	"cairn/collectors/github/githubtest"
	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/internal/fault"
	"cairn/internal/source"
	"cairn/metrics"
)

// The secret that webhooks are signed with, in the two forms that there are, one that is wrong, and a token that is refused.
const (
	agreed, agreedKey = "correct-horse", "whsec_Y29ycmVjdC1ob3JzZQ=="
	forged            = "battery-staple"
	expired           = "a-token-that-expired"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signer sets what a delivery shows who it is with.
type signer func(h http.Header, secret string, body []byte, now time.Time)

func sum(secret string, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func bearer(h http.Header, secret string, _ []byte, _ time.Time) {
	h.Set("Authorization", "Bearer "+secret)
}

func plain(header string) signer {
	return func(h http.Header, secret string, _ []byte, _ time.Time) { h.Set(header, secret) }
}

func hexed(header, prefix string) signer {
	return func(h http.Header, secret string, body []byte, _ time.Time) {
		h.Set(header, prefix+hex.EncodeToString(sum(secret, body)))
	}
}

// connected is how a system is connected with both a credential and a secret, as far as it takes them.
type connected struct {
	settings string // in YAML, on one line; %s is the address of a server
	reads    bool
	sign     signer // nil: it sends no webhooks
	// surprise is a delivery in the system's own shape about something that cairn does not know.
	surprise string
	header   http.Header
}

// everySystem has each kind of source.
var everySystem = map[string]connected{
	"alertmanager": {settings: `tokens: [env:SECRET]`, sign: bearer, surprise: `{"version": "5", "alerts": []}`},
	"argocd": {settings: `url: "%s", token: env:TOKEN, webhook_tokens: [env:SECRET]`, reads: true, sign: bearer,
		surprise: `{"app": "shop", "operationState": {"phase": "Surprised"}}`},
	"backstage": {settings: `url: "%s", token: env:TOKEN`, reads: true},
	"cdevents": {settings: `tokens: [env:SECRET]`, sign: bearer,
		surprise: `{"specversion": "1.0", "id": "1", "source": "/x", "type": "dev.cdevents.surprise.happened.0.1.0", "datacontenttype": "application/json", "data": {}}`,
		header:   http.Header{"Content-Type": {"application/cloudevents+json"}}},
	"circleci": {settings: `url: "%s", token: env:TOKEN, projects: [gh/acme/shop], webhook_secrets: [env:SECRET]`, reads: true, sign: hexed("Circleci-Signature", "v1="),
		surprise: `{"id": "1", "type": "surprise-happened", "happened_at": "2026-03-01T10:00:00Z"}`},
	"flux": {settings: `webhook_secrets: [env:SECRET]`, sign: hexed("X-Signature", "sha256="),
		surprise: `{"involvedObject": {"kind": "Surprise", "namespace": "a", "name": "b", "uid": "1"}, "severity": "info", "timestamp": "2026-03-01T10:00:00Z", "message": "x", "reason": "Surprised"}`},
	"gitea": {settings: `url: "%s", token: env:TOKEN, webhook_secrets: [env:SECRET]`, reads: true, sign: hexed("X-Hub-Signature-256", "sha256="),
		surprise: `{"action": "surprised"}`, header: http.Header{"X-Gitea-Event": {"surprise"}}},
	"github": {settings: `url: "%s", token: env:TOKEN, organisations: [acme], webhook_secrets: [env:SECRET]`, reads: true, sign: hexed("X-Hub-Signature-256", "sha256="),
		surprise: `{"action": "surprised"}`, header: http.Header{"X-Github-Event": {"surprise"}, "X-Github-Delivery": {"1"}}},
	"gitlab": {settings: `url: "%s", token: env:TOKEN, groups: [acme], webhook_tokens: [env:SECRET]`, reads: true, sign: plain("X-Gitlab-Token"),
		surprise: `{"object_kind": "surprise"}`, header: http.Header{"X-Gitlab-Event": {"Surprise Hook"}}},
	"humanitec": {settings: `url: "%s", token: env:TOKEN, organisation: acme, header: {header: X-Token, secrets: [env:SECRET]}`, reads: true, sign: plain("X-Token"),
		surprise: `{"event": "surprise", "triggered_at": "2026-03-01T10:00:00Z", "org_id": "acme", "app_id": "shop", "env_id": "production"}`},
	"incidentio": {settings: `url: "%s", api_key: env:TOKEN, webhook_secrets: [env:KEY]`, reads: true, sign: standard,
		surprise: `{"event_type": "public_surprise.happened_v1", "public_surprise.happened_v1": {}}`},
	"jenkins": {settings: `url: "%s", user: cairn, token: env:TOKEN, webhook_tokens: [env:SECRET]`, reads: true, sign: bearer,
		surprise: `{"name": "shop", "url": "job/shop/", "build": {"number": 1, "phase": "SURPRISED", "timestamp": 1767225600000}}`},
	"kubernetes": {settings: `kubeconfig: env:KUBECONFIG_TEXT, audit_tokens: [env:SECRET]`, reads: true, sign: bearer,
		surprise: `{"kind": "SurpriseList", "apiVersion": "audit.k8s.io/v1", "items": []}`},
	"opsgenie": {settings: `url: "%s", api_key: env:TOKEN, tokens: [env:SECRET]`, reads: true, sign: bearer,
		surprise: `{"action": "Surprise", "alert": {"alertId": "1", "message": "x"}}`},
	"pagerduty": {settings: `url: "%s", api_key: env:TOKEN, webhook_secrets: [env:SECRET]`, reads: true, sign: hexed("X-Pagerduty-Signature", "v1="),
		surprise: `{"event": {"id": "1", "event_type": "surprise.happened", "resource_type": "surprise", "occurred_at": "2026-03-01T10:00:00Z", "data": {"id": "x", "type": "surprise"}}}`},
	"port": {settings: `url: "%s", client_id: cairn, client_secret: env:SECRET`, reads: true, sign: func(h http.Header, secret string, body []byte, now time.Time) {
		at := strconv.FormatInt(now.Unix(), 10)
		h.Set("X-Port-Timestamp", at)
		h.Set("X-Port-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum(secret, []byte(at+"."), body)))
	}, surprise: `{"action": "SURPRISE", "resourceType": "surprise", "trigger": {"at": "2026-03-01T10:00:00Z"}}`},
	"terraform": {settings: `url: "%s", token: env:TOKEN, organisations: [acme], webhook_secrets: [env:SECRET]`, reads: true, sign: func(h http.Header, secret string, body []byte, _ time.Time) {
		mac := hmac.New(sha512.New, []byte(secret))
		mac.Write(body)
		h.Set("X-Tfe-Notification-Signature", hex.EncodeToString(mac.Sum(nil)))
	}, surprise: `{"payload_version": 3, "trigger": "surprise:happened"}`},
	"tickets": {settings: `preset: jira, tokens: [env:SECRET]`, sign: bearer, surprise: `{"webhookEvent": "jira:surprise_happened", "timestamp": 1767225600000}`},
	"typeform": {settings: `webhook_secrets: [env:SECRET], surveys: [{form: a, id: q, title: Q, opens: 2026-03-01, closes: 2026-03-15, invited: unknown, questions: [{ref: c, id: c, type: csat_1_5, text: C}]}]`,
		sign: func(h http.Header, secret string, body []byte, _ time.Time) {
			h.Set("Typeform-Signature", "sha256="+base64.StdEncoding.EncodeToString(sum(secret, body)))
		}, surprise: `{"event_id": "1", "event_type": "surprise", "form_response": {"form_id": "a", "token": "t"}}`},
}

func standard(h http.Header, secret string, body []byte, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set("Webhook-Id", "1")
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum(secret, []byte("1."+at+"."), body)))
}

// signed are the headers of a delivery.
func (c connected) signed(secret string, body []byte, now time.Time) http.Header {
	h := http.Header{}
	maps.Copy(h, c.header)
	c.sign(h, secret, body, now)
	return h
}

// everySource is a configuration with a source of each system, whose credential every server refuses.
func everySource(t *testing.T) (config string, env map[string]string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message": "the token has expired"}`)
	}))
	t.Cleanup(server.Close)
	cluster := kubernetestest.New()
	t.Cleanup(cluster.Close)
	var b strings.Builder
	b.WriteString("sources:\n")
	for _, system := range slices.Sorted(maps.Keys(collectors.Kinds())) {
		c, known := everySystem[system]
		if !known {
			t.Errorf("nothing here connects %s", system)
			continue
		}
		fmt.Fprintf(&b, "  %s: {name: our-%s, %s}\n", system, system, strings.ReplaceAll(c.settings, "%s", server.URL))
	}
	return b.String(), map[string]string{"TOKEN": expired, "SECRET": agreed, "KEY": agreedKey, "KUBECONFIG_TEXT": cluster.KubeconfigWith(expired)}
}

func everyLink(t *testing.T) []*collectors.Link {
	t.Helper()
	text, env := everySource(t)
	cfg := DefaultConfig()
	if err := parseConfig([]byte(text), &cfg); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	cfg.Store.Data = t.TempDir()
	links, err := cfg.links(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if c := everySystem[l.System]; (l.Connection != nil) != c.reads || (l.Receiver != nil) != (c.sign != nil) {
			t.Errorf("%s: it is read: %t, it is heard: %t, which is not as it stands here", l.System, l.Connection != nil, l.Receiver != nil)
		}
	}
	return links
}

func TestEverySystemRefusesAWrongSecret(t *testing.T) {
	for _, l := range everyLink(t) {
		c := everySystem[l.System]
		if c.sign == nil {
			continue
		}
		body := []byte(c.surprise)
		if err := l.Receiver.Verify(c.signed(agreed, body, noon), body, noon); err != nil {
			t.Errorf("%s: the right secret is refused: %v", l.System, err)
		}
		wrong := map[string]http.Header{"another secret": c.signed(forged, body, noon), "a longer one": c.signed(agreed+"x", body, noon), "none": c.header.Clone()}
		for name, h := range wrong {
			err := l.Receiver.Verify(h, body, noon)
			if fault.KindOf(err) != fault.Denied || strings.Contains(err.Error(), agreed) {
				t.Errorf("%s: with %s: got %v, want fault.Denied that says nothing of the right one", l.System, name, err)
			}
		}
	}
}

func TestEverySystemSaysThatACredentialHasExpired(t *testing.T) {
	for _, l := range everyLink(t) {
		if l.Connection == nil {
			continue
		}
		if len(l.Connection.Streams()) == 0 {
			t.Errorf("%s has no stream to begin with", l.System)
		}
		for _, s := range l.Connection.Streams() {
			turn, err := l.Connection.Turn(s, "", noon)
			if err == nil {
				for e, ended := range turn.Events(t.Context()) {
					if ended == nil {
						t.Errorf("%s: the stream %s tells %v though nothing may be read", l.System, s.Name, e)
					}
					err = ended
				}
			}
			if fault.KindOf(err) != fault.Denied {
				t.Errorf("%s: the stream %s ends with %v, want fault.Denied", l.System, s.Name, err)
				continue
			}
			if text := err.Error(); !strings.HasPrefix(text, l.Name+": ") || !strings.Contains(text, "refuses") || !strings.Contains(text, "put ") && !strings.Contains(text, "rotated") || strings.Contains(text, expired) {
				t.Errorf("%s: %q does not say which connection is refused and what to do", l.System, text)
			}
		}
	}
}

// What is not known is ignored with a reason, or an error that is kept; alike ones are counted as one.
func TestNoSystemLosesWhatItDoesNotKnow(t *testing.T) {
	for _, l := range everyLink(t) {
		c := everySystem[l.System]
		if c.sign == nil {
			continue
		}
		for _, header := range []http.Header{c.header, nil} {
			reasons := map[string]string{}
			for _, body := range []string{c.surprise, `{"surprise": 1}`, `{"surprise": 2}`, `{}`, `[]`, `[1]`, `[2]`, `null`, `1`, `2`, `"surprise"`, `{"surprise": `, ``, "\x00\xff"} {
				h := c.signed(agreed, []byte(body), noon)
				if header == nil {
					for name := range c.header {
						h.Del(name)
					}
				}
				if err := l.Receiver.Verify(h, []byte(body), noon); err != nil {
					t.Errorf("%s: %s is not verified: %v", l.System, body, err)
				}
				heard, err := understood(t, l, h, body)
				reasons[body] = heard.Ignored
				switch {
				case len(heard.Facts) > 0:
					t.Errorf("%s: %s tells %v", l.System, body, heard.Facts)
				case err != nil:
					reasons[body] = err.Error()
					if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "Go value") {
						t.Errorf("%s: %s: got %v, want fault.Invalid in words for people", l.System, body, err)
					}
				case heard.Ignored == "" && len(heard.Wakes) == 0:
					t.Errorf("%s: %s vanishes: it is neither ignored with a reason, nor an error", l.System, body)
				}
			}
			for _, alike := range [][2]string{{`{"surprise": 1}`, `{"surprise": 2}`}, {`[1]`, `[2]`}, {`1`, `2`}} {
				if reasons[alike[0]] != reasons[alike[1]] {
					t.Errorf("%s: deliveries of one shape are counted as two: %q and %q", l.System, reasons[alike[0]], reasons[alike[1]])
				}
			}
		}
	}
}

// understood is what a receiver makes of a delivery, as the intake asks it.
func understood(t *testing.T, l *collectors.Link, h http.Header, body string) (heard source.Heard, err error) {
	t.Helper()
	defer func() {
		if thrown := recover(); thrown != nil {
			t.Errorf("%s: %s: panic: %v", l.System, body, thrown)
		}
	}()
	d := l.Receiver.Describe(h, []byte(body))
	for name, values := range d.Header {
		if strings.Contains(strings.Join(values, " "), agreed) {
			t.Errorf("%s keeps the secret, in %s", l.System, name)
		}
	}
	d.Source, d.ReceivedAt = l.Name, noon
	return l.Receiver.Hear(d)
}

// The three of every system, from the address that it sends to and the address that it is read at to what a person reads.
func TestWhatIsRefusedOrUnknownOfEverySystemIsReadable(t *testing.T) {
	text, env := everySource(t)
	for name, value := range env {
		t.Setenv(name, value)
	}
	dir := folder(t)
	write(t, dir, "cairn.yaml", text)
	base := serving(t, dir)
	for system, c := range everySystem {
		if c.sign == nil {
			continue
		}
		for secret, body := range map[string]string{agreed: `{"surprise": 1}`, forged: c.surprise} {
			status := deliver(t, base+"/hooks/our-"+system, githubtest.Delivery{Header: c.signed(secret, []byte(body), time.Now()), Body: []byte(body)})
			if secret == forged && status != http.StatusUnauthorized || secret == agreed && status/100 != 2 {
				t.Errorf("%s: a delivery signed with %q was answered %d", system, secret, status)
			}
		}
	}
	// missing is what the list of sources does not say yet.
	missing := func() (all []string) {
		var list metrics.SourceList
		get(t, base+"/api/v1/sources", &list)
		sources := map[string]metrics.SourceRecord{}
		for _, s := range list.Sources {
			sources[s.Name] = s
		}
		for system, c := range everySystem {
			s := sources["our-"+system]
			var refused, unknown int64
			for _, d := range s.Deliveries {
				if d.Outcome == "refused" && d.Reason != "" {
					refused += d.N
				}
				if (d.Outcome == "unreadable" || d.Outcome == "ignored") && d.Reason != "" {
					unknown += d.N
				}
			}
			if c.sign != nil && (refused != 1 || unknown != 1) {
				all = append(all, fmt.Sprintf("%s: %d refused and %d not understood, want one each: %+v", system, refused, unknown, s.Deliveries))
			}
			if c.reads && (s.Outcomes["denied"] == 0 || len(s.Problems) == 0 || !strings.Contains(s.Problems[0].Error, "our-"+system+": ") || !strings.Contains(s.Problems[0].Error, "refuses")) {
				all = append(all, fmt.Sprintf("%s: that its credential is refused is not told: %v, %+v", system, s.Outcomes, s.Problems))
			}
		}
		return all
	}
	for began := time.Now(); len(missing()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("/api/v1/sources:\n%s", strings.Join(missing(), "\n"))
		}
	}
	for _, want := range []struct{ system, text string }{
		{"pagerduty", "our-pagerduty: PagerDuty refuses the key"}, {"pagerduty", "has no event.event_type"}, {"pagerduty", "X-PagerDuty-Signature"},
	} {
		resp, err := http.Get(base + "/sources/our-" + want.system)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(html.UnescapeString(string(page)), want.text) {
			t.Errorf("the page of %s does not say %q: %d, %v", want.system, want.text, resp.StatusCode, err)
		}
	}
}
