package metrics_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// zones are those that go wrong first: clocks that change at midnight, by half an hour, across the date line, in
// Ramadan, in the southern summer.
var zones = [...]string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "America/Asuncion", "America/St_Johns",
	"Africa/Cairo", "Africa/Casablanca", "Asia/Amman", "Asia/Beirut", "Asia/Kathmandu", "Asia/Tehran", "Asia/Gaza", "Australia/Lord_Howe", "Pacific/Apia",
	"Pacific/Chatham", "Pacific/Kiritimati", "Atlantic/Azores",
}

var cuts = [...]metrics.Bucket{metrics.Day, metrics.Week, metrics.Month, metrics.Quarter}

func TestParseWindow(t *testing.T) {
	for _, c := range []struct {
		name, from, to, zone string
		wantFrom, wantTo     string // UTC
	}{
		{"dates in UTC", "2026-01-01", "2026-02-01", "", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"dates of a zone, across its clock change", "2026-03-23", "2026-03-30", "Europe/Berlin", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"times", "2026-01-01T08:30", "2026-01-01T09:00:15", "Asia/Kathmandu", "2026-01-01T02:45:00Z", "2026-01-01T03:15:15Z"},
		{"instants with a zone of their own", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00+02:00", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T10:00:00Z"},
		{"the machine's own zone never counts", "2026-01-01", "2026-01-02", "Local", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
		// São Paulo's clocks went from 00:00 to 01:00 that night: the date begins with 01:00, which is 03:00 UTC.
		{"a date that begins late", "2018-11-04", "2018-11-05", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"a window that ends where a date begins late", "2018-11-03", "2018-11-04", "America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		// Havana's go from 01:00 back to 00:00: the date has two midnights, and the first begins it.
		{"a midnight that never was", "2018-11-03T00:00", "2018-11-04T00:00", "America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"a date with two midnights", "2026-11-01", "2026-11-02", "America/Havana", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"and one east of Greenwich", "2021-10-29", "2021-10-30", "Asia/Amman", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := metrics.ParseWindow(c.from, c.to, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.From.UTC().Format(time.RFC3339); got != c.wantFrom {
				t.Errorf("from: got %s, want %s", got, c.wantFrom)
			}
			if got := w.To.UTC().Format(time.RFC3339); got != c.wantTo {
				t.Errorf("to: got %s, want %s", got, c.wantTo)
			}
			zone := c.zone
			if zone == "" || zone == "Local" {
				zone = "UTC"
			}
			if got := w.Zone.String(); got != zone {
				t.Errorf("zone: got %s, want %s", got, zone)
			}
		})
	}
}

func TestParseWindowRefuses(t *testing.T) {
	for _, c := range []struct{ name, from, to, zone, want string }{
		{"an unknown zone", "2026-01-01", "2026-02-01", "Europe/Atlantis", `time zone is "Europe/Atlantis"`},
		{"no from", "", "2026-02-01", "UTC", `from is ""`},
		{"no such day", "2026-02-30", "2026-03-01", "UTC", `from is "2026-02-30"`},
		{"another order of day and month", "2026-01-01", "31.01.2026", "UTC", `to is "31.01.2026": expected a date such as 2026-01-31 or a time such as 2026-01-31T14:30`},
		{"a month alone", "2026-01", "2026-02-01", "UTC", `from is "2026-01"`},
		{"an end at the start", "2026-01-01", "2026-01-01", "UTC", "from (2026-01-01) must be before to (2026-01-01)"},
		{"an end before the start", "2026-02-01", "2026-01-01", "UTC", "must be before"},
		{"an end before the start by its zone alone", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+02:00", "UTC", "must be before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := metrics.ParseWindow(c.from, c.to, c.zone)
			if err == nil {
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want a fault.Invalid with %s", err, c.want)
			}
		})
	}
}

func TestParseBucket(t *testing.T) {
	for name, want := range map[string]metrics.Bucket{"": metrics.Whole, "day": metrics.Day, "week": metrics.Week, "iso_week": metrics.Week, "month": metrics.Month, "quarter": metrics.Quarter} {
		if got, err := metrics.ParseBucket(name); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := metrics.ParseBucket("fortnight"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("fortnight: got %v, want a fault.Invalid", err)
	}
}

// spans writes the buckets of a window as "label: first instant, hours".
func spans(t *testing.T, from, to, zone string, b metrics.Bucket) []string {
	t.Helper()
	list, err := window(t, from, to, zone).Spans(b)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range list {
		length := strings.TrimSuffix(s.To.Sub(s.From).String(), "0s")
		out = append(out, s.Label+": "+s.From.UTC().Format("2006-01-02T15:04Z")+", "+strings.Replace(length, "h0m", "h", 1))
	}
	return out
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		name, from, to, zone string
		bucket               metrics.Bucket
		want                 []string
	}{
		{"the week of a clock change has 167 hours", "2026-03-23", "2026-04-06", "Europe/Berlin", metrics.Week,
			[]string{"2026-W13: 2026-03-22T23:00Z, 167h", "2026-W14: 2026-03-29T22:00Z, 168h"}},
		{"and the other one 169", "2026-10-19", "2026-11-02", "Europe/Berlin", metrics.Week,
			[]string{"2026-W43: 2026-10-18T22:00Z, 169h", "2026-W44: 2026-10-25T23:00Z, 168h"}},
		{"a week belongs to the year of its Thursday", "2025-12-22", "2026-01-12", "UTC", metrics.Week,
			[]string{"2025-W52: 2025-12-22T00:00Z, 168h", "2026-W01: 2025-12-29T00:00Z, 168h", "2026-W02: 2026-01-05T00:00Z, 168h"}},
		{"2026 has a week 53", "2026-12-21", "2027-01-11", "UTC", metrics.Week,
			[]string{"2026-W52: 2026-12-21T00:00Z, 168h", "2026-W53: 2026-12-28T00:00Z, 168h", "2027-W01: 2027-01-04T00:00Z, 168h"}},
		{"the buckets at the edges are clipped", "2026-01-15T12:00", "2026-03-10", "UTC", metrics.Month,
			[]string{"2026-01: 2026-01-15T12:00Z, 396h", "2026-02: 2026-02-01T00:00Z, 672h", "2026-03: 2026-03-01T00:00Z, 216h"}},
		{"quarters", "2025-12-31", "2026-07-02", "UTC", metrics.Quarter,
			[]string{"2025-Q4: 2025-12-31T00:00Z, 24h", "2026-Q1: 2026-01-01T00:00Z, 2160h", "2026-Q2: 2026-04-01T00:00Z, 2184h", "2026-Q3: 2026-07-01T00:00Z, 24h"}},
		{"a window inside one bucket", "2026-02-03T10:00", "2026-02-03T11:00", "UTC", metrics.Week,
			[]string{"2026-W06: 2026-02-03T10:00Z, 1h"}},
		{"midnight is skipped in São Paulo", "2018-11-03", "2018-11-06", "America/Sao_Paulo", metrics.Day,
			[]string{"2018-11-03: 2018-11-03T03:00Z, 24h", "2018-11-04: 2018-11-04T03:00Z, 23h", "2018-11-05: 2018-11-05T02:00Z, 24h"}},
		{"and in Asunción", "2024-10-05", "2024-10-07", "America/Asuncion", metrics.Day,
			[]string{"2024-10-05: 2024-10-05T04:00Z, 24h", "2024-10-06: 2024-10-06T04:00Z, 23h"}},
		{"and in Beirut", "2026-03-28", "2026-03-30", "Asia/Beirut", metrics.Day,
			[]string{"2026-03-28: 2026-03-27T22:00Z, 24h", "2026-03-29: 2026-03-28T22:00Z, 23h"}},
		{"and in Cairo", "2026-04-23", "2026-04-25", "Africa/Cairo", metrics.Day,
			[]string{"2026-04-23: 2026-04-22T22:00Z, 24h", "2026-04-24: 2026-04-23T22:00Z, 23h"}},
		{"the last hour of Thursday comes twice in Cairo", "2026-10-29", "2026-10-31", "Africa/Cairo", metrics.Day,
			[]string{"2026-10-29: 2026-10-28T21:00Z, 25h", "2026-10-30: 2026-10-29T22:00Z, 24h"}},
		{"the last hour of Saturday comes twice in Asunción", "2024-03-23", "2024-03-25", "America/Asuncion", metrics.Day,
			[]string{"2024-03-23: 2024-03-23T03:00Z, 25h", "2024-03-24: 2024-03-24T04:00Z, 24h"}},
		{"midnight comes twice in Havana, and the first begins the day", "2026-10-31", "2026-11-02", "America/Havana", metrics.Day,
			[]string{"2026-10-31: 2026-10-31T04:00Z, 24h", "2026-11-01: 2026-11-01T04:00Z, 25h"}},
		{"and in Amman, east of Greenwich", "2021-10-28", "2021-10-30", "Asia/Amman", metrics.Day,
			[]string{"2021-10-28: 2021-10-27T21:00Z, 24h", "2021-10-29: 2021-10-28T21:00Z, 25h"}},
		{"a week that begins with a skipped midnight ends the one before", "2018-10-29", "2018-11-12", "America/Sao_Paulo", metrics.Week,
			[]string{"2018-W44: 2018-10-29T03:00Z, 167h", "2018-W45: 2018-11-05T02:00Z, 168h"}},
		{"Lord Howe's clocks move by half an hour", "2026-04-05", "2026-04-06", "Australia/Lord_Howe", metrics.Day,
			[]string{"2026-04-05: 2026-04-04T13:00Z, 24h30m"}},
		{"and back", "2026-10-04", "2026-10-05", "Australia/Lord_Howe", metrics.Day,
			[]string{"2026-10-04: 2026-10-03T13:30Z, 23h30m"}},
		{"Samoa had no 30 December 2011", "2011-12-29", "2012-01-01", "Pacific/Apia", metrics.Day,
			[]string{"2011-12-29: 2011-12-29T10:00Z, 24h", "2011-12-31: 2011-12-30T10:00Z, 24h"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, spans(t, c.from, c.to, c.zone, c.bucket)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpansRefusesMoreThanFitAnAnswer(t *testing.T) {
	if _, err := window(t, "2000-01-01", "2026-01-01", "UTC").Spans(metrics.Day); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want a fault.Invalid", err)
	}
}

// anyWindow draws a window of a zone, often one that begins or ends within a day of a clock change.
func anyWindow(t *rapid.T) metrics.Window {
	name := rapid.SampledFrom(zones[:]).Draw(t, "zone")
	zone, err := metrics.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string, least, most int64) time.Time {
		return time.Unix(rapid.Int64Range(least, most).Draw(t, name), 0).In(zone)
	}
	// Until 2011 Newfoundland's clocks went back at 00:01, so that a date began, ended and began again.
	from := at("from", time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2037, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	if _, next := from.ZoneBounds(); !next.IsZero() && next.Year() < 2037 && rapid.Bool().Draw(t, "at a change") {
		from = next.Add(time.Duration(rapid.Int64Range(-30*3600, 30*3600).Draw(t, "off")) * time.Second)
	}
	return metrics.Window{From: from, To: at("to", from.Unix()+1, from.Unix()+400*86400), Zone: zone}
}

func TestSpansTileEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWindow(t)
		b := rapid.SampledFrom(cuts[:]).Draw(t, "bucket")
		list, err := w.Spans(b)
		if err != nil || len(list) == 0 {
			t.Fatalf("got %d spans, %v", len(list), err)
		}
		if first, last := list[0], list[len(list)-1]; !first.From.Equal(w.From) || !last.To.Equal(w.To) {
			t.Errorf("%s to %s: the spans go from %s to %s", w.From, w.To, first.From, last.To)
		}
		for i, s := range list {
			if !s.From.Before(s.To) {
				t.Errorf("%s: from %s to %s is no span", s.Label, s.From, s.To)
			}
			if i == 0 {
				continue
			}
			if before := list[i-1]; !before.To.Equal(s.From) || !before.Key.Before(s.Key) || before.Label >= s.Label {
				t.Errorf("%s (%s) ends at %s, %s (%s) begins at %s", before.Label, before.Key, before.To, s.Label, s.Key, s.From)
			}
			// A span begins with its local date, and one moment earlier it is another date.
			at, just := s.From.In(w.Zone), s.From.Add(-time.Second).In(w.Zone)
			if at.Format(time.DateOnly) < s.Key.Format(time.DateOnly) || just.Format(time.DateOnly) >= s.Key.Format(time.DateOnly) {
				t.Errorf("%s begins at %s, one second after %s", s.Key.Format(time.DateOnly), at, just)
			}
		}
	})
}

// The engine groups events by bucket with its own calendar, and each answer finds its bucket by the span's key: the two
// calendars must agree on every instant in every zone.
func TestSpansAreTheEnginesOwnBuckets(t *testing.T) {
	fragment, err := os.ReadFile("fragments/bucket.sql")
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.New(t)
	keys := func(t *rapid.T, instants []time.Time, zone string, b metrics.Bucket) []time.Time {
		var rows []struct {
			Key time.Time `ch:"key"`
		}
		err := st.Select(context.Background(), &rows,
			"SELECT "+string(fragment)+" AS key FROM (SELECT arrayJoin(arrayZip({instants:Array(DateTime64(3, 'UTC'))}, arrayEnumerate({instants:Array(DateTime64(3, 'UTC'))}))) AS pair, pair.1 AS at) ORDER BY pair.2",
			store.Params{"instants": instants, "tz": zone, "bucket": string(b)})
		if err != nil || len(rows) != len(instants) {
			t.Fatalf("got %d rows, %v", len(rows), err)
		}
		out := make([]time.Time, len(rows))
		for i, r := range rows {
			out[i] = r.Key.UTC()
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		w := anyWindow(t)
		b := rapid.SampledFrom(cuts[:]).Draw(t, "bucket")
		list, err := w.Spans(b)
		if err != nil {
			t.Fatal(err)
		}
		// The edges of all spans, a millisecond before them, and a few instants in between.
		var instants []time.Time
		var want []metrics.Span
		note := func(s metrics.Span, at time.Time) {
			if !at.Before(s.From) && at.Before(s.To) {
				instants, want = append(instants, at.UTC()), append(want, s)
			}
		}
		for _, s := range list {
			note(s, s.From)
			note(s, s.To.Add(-time.Millisecond))
			note(s, s.From.Add(time.Duration(rapid.Int64Range(0, s.To.Sub(s.From).Milliseconds()-1).Draw(t, "inside"))*time.Millisecond))
		}
		for i, got := range keys(t, instants, w.Zone.String(), b) {
			if !got.Equal(want[i].Key) {
				t.Errorf("%s in %s: the engine's %s begins on %s, ours on %s", instants[i].Format(time.RFC3339Nano), w.Zone, b, got.Format(time.DateOnly), want[i].Key.Format(time.DateOnly))
			}
		}
	})
}

func TestPrevious(t *testing.T) {
	for _, c := range []struct{ name, from, to, zone, wantFrom, wantTo string }{
		{"a month has the month before", "2026-03-01", "2026-04-01", "UTC", "2026-02-01T00:00:00", "2026-03-01T00:00:00"},
		{"a quarter has the three months before", "2026-01-01", "2026-04-01", "UTC", "2025-10-01T00:00:00", "2026-01-01T00:00:00"},
		{"a week has seven days, whatever the clocks do", "2026-03-30", "2026-04-06", "Europe/Berlin", "2026-03-23T00:00:00", "2026-03-30T00:00:00"},
		{"a working day", "2026-03-30T09:00", "2026-03-30T17:00", "UTC", "2026-03-30T01:00:00", "2026-03-30T09:00:00"},
		{"a day before a clock change", "2026-03-29", "2026-03-30", "Europe/Berlin", "2026-03-28T00:00:00", "2026-03-29T00:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := window(t, c.from, c.to, c.zone).Previous().JSON()
			want := metrics.WindowJSON{From: c.wantFrom, To: c.wantTo, TimeZone: c.zone}
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestPreviousEndsWhereTheWindowBegins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWindow(t)
		first := func(at time.Time, months int) string {
			return time.Date(at.Year(), at.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		}
		from, to := w.From.Format(time.DateOnly), w.To.AddDate(0, 0, 1).In(w.Zone).Format(time.DateOnly)
		var err error
		switch rapid.SampledFrom([]string{"instants", "days", "months"}).Draw(t, "ends") {
		case "days":
			w, err = metrics.ParseWindow(from, to, w.Zone.String())
		case "months":
			w, err = metrics.ParseWindow(first(w.From, 0), first(w.To, 1), w.Zone.String())
		}
		if err != nil {
			t.Fatal(err)
		}
		p := w.Previous()
		if !p.To.Equal(w.From) || !p.From.Before(p.To) || p.Zone != w.Zone {
			t.Errorf("before %v comes %v", w, p)
		}
	})
}
