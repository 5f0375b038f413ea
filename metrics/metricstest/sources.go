package metricstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/internal/store"
)

// Insert stores a row of one of the tables about sources: texts, instants such as 2026-03-01 12:00:00, dates, numbers,
// bools and nil by column.
func Insert(t testing.TB, st *store.Store, table string, row map[string]any) {
	t.Helper()
	if err := insertRow(t.Context(), st, table, row); err != nil {
		t.Fatal(err)
	}
}

func insertRow(ctx context.Context, st *store.Store, table string, row map[string]any) error {
	names := slices.Sorted(maps.Keys(row))
	b, err := st.Batch(ctx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return err
	}
	var values []any
	for _, name := range names {
		value := row[name]
		text, isText := value.(string)
		at, isTime := value.(time.Time)
		n, isNumber := value.(int)
		switch {
		case isTime:
			value = at.UTC()
		case isText && (strings.HasSuffix(name, "_at") || name == "reached_back" || name == "latest"):
			if value, err = time.Parse(time.DateTime, text); err != nil {
				return err
			}
		case isText && name == "day":
			if value, err = time.Parse(time.DateOnly, text); err != nil {
				return err
			}
		case isNumber:
			value = uint64(n)
		}
		values = append(values, value)
	}
	if err := b.Append(values...); err != nil {
		_ = b.Abort()
		return fmt.Errorf("%s: %w", table, err)
	}
	return b.Send()
}

// Sources stores how two systems are doing at an instant that facts come from: github, of which news are told, history is
// half told, and three streams and one more cannot be read; and gitlab, of which only webhooks are heard.
func Sources(ctx context.Context, st *store.Store, now time.Time) error {
	names := strings.Fields("payments-api payments-web ledger checkout cart search catalogue identity notifications shipping returns invoices pricing reviews gateway mobile-app data-platform infra docs design-system")
	kinds := strings.Fields("commits changes runs deployments releases ownership")
	minutes := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Minute) }
	var rows []map[string]any
	add := func(subject, kind string, more map[string]any) {
		row := map[string]any{
			"source": "github", "system": "github", "stream": strings.TrimPrefix(subject+"/"+kind, "/"), "subject": subject, "kind": kind, "outcome": "fresh", "error": "", "started_at": minutes(130),
			"attempted_at": minutes(3), "succeeded_at": minutes(3), "next_at": minutes(-7), "facts": 100 + 37*len(rows), "requests": 6 + len(rows), "done": 12, "total": 12, "reached_back": nil, "complete": true, "rules": "{}",
		}
		for name, value := range more {
			row[name] = value
		}
		rows = append(rows, row)
	}
	add("", "repositories", nil)
	add("", "teams", nil)
	for i, name := range names {
		subject := "linden/" + name
		for k, kind := range kinds {
			more := map[string]any{"succeeded_at": minutes(1 + (i*5+k)%12)}
			if (kind == "runs" || kind == "changes") && i%3 != 0 {
				more["outcome"], more["complete"], more["done"], more["total"] = "behind", false, 20+i*7%60, 130
				more["reached_back"] = now.AddDate(0, -4-i%9, -i)
			}
			if kind == "deployments" {
				more["rules"] = fmt.Sprintf(`{"the default: deployments of the forge":{"n":%d,"example":"production of %s"}}`, 10+i, subject)
			}
			add(subject, kind, more)
		}
	}
	fails := func(subject, kind, outcome, text string, next any) {
		add(subject, kind, map[string]any{
			"outcome": outcome, "error": text, "succeeded_at": now.AddDate(0, 0, -2), "attempted_at": minutes(9), "next_at": next, "complete": false, "done": 0, "total": 0,
		})
	}
	const denied = "github: GET /repos/linden/%s/%s: 403, the token may not read this: give it the permission Contents (read)"
	fails("linden/secrets", "commits", "denied", fmt.Sprintf(denied, "secrets", "commits"), minutes(-40))
	fails("linden/vault", "commits", "denied", fmt.Sprintf(denied, "vault", "commits"), minutes(-40))
	fails("linden/old-shop", "changes", "gone", "github: GET /repos/linden/old-shop: 404, it is deleted or no longer shown to the token", minutes(-55))
	add("linden/<script>"+strings.Repeat("long-name-", 28), "runs", map[string]any{"rules": `{"no rule fits":{"n":41,"example":"Deploy to production of linden/web"}}`})
	add("linden/mono", "deployments", map[string]any{"rules": `{"linden/mono has 3 services and no rule says whose this is":{"n":12,"example":"production of linden/mono"}}`})
	for _, row := range rows {
		if err := insertRow(ctx, st, "source_streams", row); err != nil {
			return err
		}
	}
	for _, b := range []map[string]any{
		{"source": "github", "resource": "core", "allowance": 5000, "remaining": 3817, "reset_at": minutes(-24)},
		{"source": "github", "resource": "graphql", "allowance": 5000, "remaining": 212, "reset_at": minutes(-41)},
	} {
		if err := insertRow(ctx, st, "source_budgets", b); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		source, event, outcome, reason string
		n, ago                         int
	}{
		{"github", "pull_request", "woken", "", 412, 1},
		{"github", "workflow_run", "told", "", 1630, 2},
		{"github", "push", "woken", "", 951, 4},
		{"github", "issues", "ignored", "it is no incident", 77, 40},
		{"gitlab", "Pipeline Hook", "told", "", 88, 1},
		{"gitlab", "Merge Request Hook", "told", "", 31, 15},
		{"gitlab", "Push Hook", "unreadable", "a fact is wrong: commit.sha is \"0\"", 1, 600},
		{"gitlab", "", "refused", "the token does not fit", 5, 55},
	} {
		at := minutes(d.ago)
		if err := insertRow(ctx, st, "deliveries", map[string]any{
			"source": d.source, "day": at.UTC().Format(time.DateOnly), "event": d.event, "outcome": d.outcome, "reason": d.reason, "n": d.n, "latest": at,
		}); err != nil {
			return err
		}
	}
	return nil
}
