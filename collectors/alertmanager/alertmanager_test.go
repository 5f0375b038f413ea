package alertmanager_test

import (
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
