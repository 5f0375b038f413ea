package dashboards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"cairn/internal/fault"
)

// Every error is a page: it says what is wrong, or that it is ours, without a word of what went on inside; ours alone is
// logged.
func TestFailuresArePages(t *testing.T) {
	for _, c := range []struct {
		name         string
		err          error
		status       int
		says, hides  string
		retry, known bool
	}{
		{"invalid", fmt.Errorf("metrics.Query: %w", fault.New(fault.Invalid, "from is <b>")), 400, "Metrics.Query: from is <b>", "reload", false, false},
		{"not found", fault.New(fault.NotFound, "there is no such thing"), 404, "There is no such thing", "reload", false, false},
		{"unavailable", fault.New(fault.Unavailable, "the store is starting"), 503, "The store is starting", "", true, false},
		{"ours", errors.New("sql: secret of the house"), 500, "Cairn made a mistake; its log says more", "secret", true, true},
		{"nobody waits", fmt.Errorf("query: %w", context.Canceled), 0, "", "query", false, false},
	} {
		p := unfed(t)
		var log bytes.Buffer
		p.deps.Log = slog.New(slog.NewTextHandler(&log, nil))
		w := httptest.NewRecorder()
		p.fail(c.err, p.echo.NewContext(httptest.NewRequest("GET", "/teams/x", nil), w))
		text := read(t, w)
		if c.status != 0 && w.Code != c.status || !strings.Contains(text, c.says) || c.hides != "" && strings.Contains(text, c.hides) {
			t.Errorf("%s: got %d and %q, want %d and %q without %q", c.name, w.Code, text, c.status, c.says, c.hides)
		}
		if retry := strings.Contains(text, "It may work again in a moment"); c.status != 0 && retry != c.retry {
			t.Errorf("%s: the page offers to try again: %v, want %v", c.name, retry, c.retry)
		}
		if logged := log.Len() > 0; logged != c.known {
			t.Errorf("%s: logged %q, want something: %v", c.name, &log, c.known)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store", c.name, got)
		}
		if later := w.Header().Get("Retry-After"); (w.Code == 503) != (later != "") {
			t.Errorf("%s: Retry-After is %q", c.name, later)
		}
		sound(t, c.name, w.Body.String())
	}
}

// Pages are not set up with what cannot be.
func TestConfigurationIsChecked(t *testing.T) {
	good := DefaultConfig()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for say, cfg := range map[string]Config{"title": {TimeZone: "UTC"}, "Mars": {Title: "Acme", TimeZone: "Mars"}} {
		if _, err := New(cfg, Deps{}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), say) {
			t.Errorf("%v: got %v, want an error about %s", cfg, err, say)
		}
	}
}
