package derive_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics/derive"
)

// derived are the tables that derivation writes.
var derived = []string{
	"attributed_runs", "attributed_deployments", "attributed_changes", "attributed_commits", "waiting_changes", "attributed_incidents",
	"attributed_services",
}

// facts are the tables that it reads.
var facts = []string{
	"repositories", "branches", "commits", "change_requests", "pipeline_runs", "artifacts", "deployments", "incidents", "services", "ownership", "teams", "people",
}

// bench is a store with an intake, for one test.
type bench struct {
	t  testing.TB
	st *store.Store
	in *ingest.Intake
}

func newBench(t testing.TB) *bench {
	t.Helper()
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, st: st, in: in}
	// What is tested here is not whether facts survive a power cut.
	for _, table := range facts {
		b.exec("ALTER TABLE " + table + " MODIFY SETTING fsync_after_insert = 0, fsync_part_directory = 0")
	}
	return b
}

func (b *bench) exec(sql string) {
	b.t.Helper()
	if err := b.st.Exec(context.Background(), sql, nil); err != nil {
		b.t.Fatal(err)
	}
}

// clear empties tables.
func (b *bench) clear(tables ...string) {
	b.t.Helper()
	for _, table := range tables {
		b.exec("TRUNCATE TABLE " + table)
	}
}

func (b *bench) write(events ...event.Event) {
	b.t.Helper()
	var batch event.Batch
	batch.Append(events...)
	if err := b.in.Write(context.Background(), &batch); err != nil {
		b.t.Fatal(err)
	}
}

func newDeriver(t testing.TB, st *store.Store, set func(*derive.Config)) *derive.Deriver {
	t.Helper()
	cfg := derive.DefaultConfig()
	cfg.RolloutWindow = 6 * time.Hour
	set(&cfg)
	d, err := derive.New(cfg, st, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (b *bench) deriver(set ...func(*derive.Config)) *derive.Deriver {
	return newDeriver(b.t, b.st, func(cfg *derive.Config) {
		for _, f := range set {
			f(cfg)
		}
	})
}

func (b *bench) catchUp(d *derive.Deriver) {
	b.t.Helper()
	if err := d.CatchUp(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

// tables are the rows of the derived tables, as JSON, sorted.
func (b *bench) tables() map[string][]string {
	b.t.Helper()
	all := map[string][]string{}
	for _, table := range derived {
		var rows []struct {
			Row string `ch:"row"`
		}
		err := b.st.Select(context.Background(), &rows, "SELECT formatRowNoNewline('JSONEachRow', * EXCEPT (revision, is_deleted)) AS row FROM "+table+" FINAL ORDER BY row", nil)
		if err != nil {
			b.t.Fatal(err)
		}
		all[table] = []string{}
		for _, r := range rows {
			all[table] = append(all[table], r.Row)
		}
	}
	return all
}

// anew are the tables as a deriver without a past makes them from all facts at once.
func (b *bench) anew(set ...func(*derive.Config)) map[string][]string {
	b.t.Helper()
	b.clear(append(slices.Clone(derived), "cursors")...)
	b.catchUp(b.deriver(set...))
	return b.tables()
}

// reset empties the store.
func (b *bench) reset() {
	b.t.Helper()
	b.clear(append(append(slices.Clone(facts), derived...), "cursors")...)
}

// age has all facts arrived an hour earlier, so that a deriver does not look at them again because they are fresh.
func (b *bench) age() {
	b.t.Helper()
	for _, table := range facts {
		b.exec("ALTER TABLE " + table + " UPDATE ingested_at = ingested_at - INTERVAL 1 HOUR WHERE true SETTINGS mutations_sync = 2")
	}
}

// sameAsAnew fails where the tables are not those that a deriver without a past makes.
func (b *bench) sameAsAnew(t interface{ Error(...any) }, set ...func(*derive.Config)) {
	b.t.Helper()
	got := b.tables()
	if diff := differences(b.anew(set...), got); diff != "" {
		t.Error(diff)
	}
}

func differences(want, got map[string][]string) string {
	var out strings.Builder
	for _, table := range slices.Sorted(maps.Keys(want)) {
		if diff := cmp.Diff(want[table], got[table]); diff != "" {
			fmt.Fprintf(&out, "%s (-want +got):\n%s\n", table, diff)
		}
	}
	return out.String()
}

// describe writes tellings as a producer would.
func describe(events []event.Event) string {
	var out []byte
	for _, e := range events {
		out = append(event.AppendJSON(out, e), '\n')
	}
	return string(out)
}

// drawConfig draws parameters; what is kept in memory must not matter.
func drawConfig(t *rapid.T) func(*derive.Config) {
	cutoff := rapid.SampledFrom([]int{0, 0, 0, 30, 70}).Draw(t, "cutoff")
	cached := rapid.SampledFrom([]int{5_000_000, 5_000_000, 8, 0}).Draw(t, "cached commits")
	window := rapid.SampledFrom([]time.Duration{0, 0, 12 * time.Hour}).Draw(t, "incident window")
	return func(cfg *derive.Config) {
		cfg.CachedCommits, cfg.IncidentWindow = cached, window
		if cutoff > 0 {
			cfg.Cutoff = epoch.Add(time.Duration(cutoff) * 2 * time.Hour)
		}
	}
}

// Whatever the order in which facts arrive, however often, in however many batches with a derivation between: the
// tables end up as if all had been there from the start.
func TestAnyOrderOfFactsGivesTheSameTables(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(t *rapid.T) {
		b.reset()
		tellings := drawStory(t, "")
		for range rapid.IntRange(0, 5).Draw(t, "repeated") {
			tellings = append(tellings, rapid.SampledFrom(tellings).Draw(t, "repeated telling"))
		}
		if !rapid.Bool().Draw(t, "in order") {
			tellings = rapid.Permutation(tellings).Draw(t, "order")
		}
		config := drawConfig(t)
		d := b.deriver(config)
		var log []string
		for rest := tellings; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(1, 20).Draw(t, "batch"))
			b.write(rest[:n]...)
			log = append(log, describe(rest[:n]))
			rest = rest[n:]
			switch rapid.IntRange(0, 5).Draw(t, "between") {
			case 0:
				log = append(log, "-- nothing derived\n")
				continue
			case 1:
				log = append(log, "-- a new deriver\n")
				d = b.deriver(config)
			case 2:
				log = append(log, "-- derived; a new deriver an hour later\n")
				b.catchUp(d)
				b.age()
				d = b.deriver(config)
				continue
			}
			b.catchUp(d)
			log = append(log, "-- derived\n")
		}
		b.catchUp(d)
		if b.sameAsAnew(t, config); t.Failed() {
			t.Fatal(strings.Join(log, ""))
		}
	})
}
