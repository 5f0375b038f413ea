package alertmanager_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/alertmanager"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/sharedtest"
)

var now = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

func receiver(t testing.TB) *alertmanager.Receiver {
	cfg := alertmanager.DefaultConfig()
	cfg.Tokens = []string{"am-bearer-token"}
	r, err := alertmanager.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(body string) hooktest.Request {
	return hooktest.Request{Header: http.Header{"Authorization": {"Bearer am-bearer-token"}}, Body: []byte(body)}
}

func TestACapturedAlertIsAnIncidentUntilItIsOver(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "alertmanager", "001.body"))
	if err != nil {
		t.Fatal(err)
	}
	firing := string(text)
	over := strings.NewReplacer(`"firing"`, `"resolved"`, "0001-01-01T00:00:00Z", "2026-11-22T19:25:40Z", "http://prom/graph", "").Replace(firing)
	starts := time.Date(2026, 11, 22, 19, 5, 40, 0, time.UTC)
	ends := starts.Add(20 * time.Minute)
	want := &event.Incident{
		Telling: event.Telling{Source: "alertmanager", UpdatedAt: ends}, ID: "51b405c910ff8e5d-20261122T190540.000Z", Service: "checkout",
		Severity: "critical", Title: "5xx > 5%", StartedAt: starts, DetectedAt: starts, RestoredAt: ends, ResolvedAt: ends,
	}
	known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t) }, now, request(firing), request(over))
	if diff := cmp.Diff(map[string]event.Event{"incident alertmanager " + want.ID: want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	warning := strings.ReplaceAll(firing, `"critical"`, `"warning"`)
	if heard, err := hooktest.Receive(t, receiver(t), request(warning), now); err != nil || heard.Ignored == "" {
		t.Errorf("a warning: got %v, %v", heard, err)
	}
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	r := receiver(t)
	hooktest.Refuses(t, r, nil, now, map[string]http.Header{"nothing": {}, "another": {"Authorization": {"Bearer x"}}})
	hooktest.Misunderstands(t, r, http.Header{}, "", "{}", `{"version":"4","alerts":[{"labels":{"severity":"page"}}]}`)
	if _, err := alertmanager.New(alertmanager.DefaultConfig(), nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a secret: %v", err)
	}
}

func FuzzHear(f *testing.F) {
	f.Add([]byte(`{"version":"4","alerts":[{"labels":{"severity":"page"},"startsAt":"2026-01-01T00:00:00Z","fingerprint":"a"}]}`))
	r := receiver(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}

// A group mixes what fires and what is over, and says in truncatedAlerts what it leaves out. Grafana's alerting sends the
// same with more fields, as version 1, with parts of a second and a zone.
func TestAGroupOfAlertsTellsEachAlsoFromGrafana(t *testing.T) {
	alert := func(status, name, fingerprint, ends string) string {
		return fmt.Sprintf(`{"status":%q,"labels":{"alertname":%q,"severity":"critical","service":"shop"},"annotations":{"summary":"slow in %s"},"startsAt":"2026-06-17T03:04:00.782137894+02:00","endsAt":%q,`+
			`"generatorURL":"https://grafana.example.com/alerting/1/view","fingerprint":%q,"silenceURL":"","dashboardURL":"","panelURL":"","values":{"B":44.2,"C":1},"valueString":"[ var='B' ]"}`, status, name, name, ends, fingerprint)
	}
	group := func(rest string, alerts ...string) hooktest.Request {
		return request(`{"receiver":"cairn","status":"firing","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"https://grafana.example.com/","groupKey":"{}:{}","truncatedAlerts":3,` + rest + `,"alerts":[` + strings.Join(alerts, ",") + `]}`)
	}
	const never, ended = "0001-01-01T00:00:00Z", "2026-06-17T01:08:28.652747827Z"
	starts, ends := time.Date(2026, 6, 17, 1, 4, 0, 782e6, time.UTC), time.Date(2026, 6, 17, 1, 8, 28, 652e6, time.UTC)
	want := map[string]event.Event{}
	for _, i := range []struct {
		name, fingerprint string
		end               time.Time
	}{{"one", "aaafafe0953f0962", ends}, {"two", "6f9cd313db421ef1", time.Time{}}} {
		f := &event.Incident{ID: i.fingerprint + "-20260617T010400.782Z", Service: "shop", Severity: "critical", Title: "slow in " + i.name, StartedAt: starts, DetectedAt: starts, RestoredAt: i.end, ResolvedAt: i.end}
		if f.Source, f.UpdatedAt = "alertmanager", starts; !i.end.IsZero() {
			f.UpdatedAt = i.end
		}
		want["incident alertmanager "+f.ID] = f
	}
	for _, sender := range []string{`"version":"4"`, `"version":"1","orgId":1,"title":"[FIRING:1, RESOLVED:1]","state":"alerting","message":"text"`} {
		known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t) }, now,
			group(sender, alert("firing", "one", "aaafafe0953f0962", never)),
			group(sender, alert("firing", "one", "aaafafe0953f0962", never), alert("firing", "two", "6f9cd313db421ef1", never)),
			group(sender, alert("resolved", "one", "aaafafe0953f0962", ended), alert("firing", "two", "6f9cd313db421ef1", never)))
		if diff := cmp.Diff(want, known); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sender, diff)
		}
	}
}
