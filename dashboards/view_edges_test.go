package dashboards

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/fault"
	"cairn/metrics"
)

// seen is the view of an address on a day, at noon.
func seen(t testing.TB, query, zone, today string) view {
	t.Helper()
	now, err := time.Parse(time.DateOnly, today)
	if err != nil {
		t.Fatal(err)
	}
	return seenAt(t, query, zone, now.Add(12*time.Hour))
}

func seenAt(t testing.TB, query, zone string, now time.Time) view {
	t.Helper()
	p, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	v, err := readView(p, zone, now)
	if err != nil {
		t.Fatalf("%q: %v", query, err)
	}
	return v
}

// A window ends with the day that it is now in its zone, also where clocks change, half an hour off, and where a
// midnight does not exist.
func TestRollingWindowsInOddZones(t *testing.T) {
	for _, c := range []struct {
		name, query, now string
		from, to         time.Time
	}{
		{
			"half an hour off, before midnight", "last=4w&tz=Asia/Kolkata", "2026-05-20T18:29:59Z",
			time.Date(2026, 4, 22, 18, 30, 0, 0, time.UTC), time.Date(2026, 5, 20, 18, 30, 0, 0, time.UTC),
		},
		{
			"half an hour off, at midnight", "last=4w&tz=Asia/Kolkata", "2026-05-20T18:30:00Z",
			time.Date(2026, 4, 23, 18, 30, 0, 0, time.UTC), time.Date(2026, 5, 21, 18, 30, 0, 0, time.UTC),
		},
		{
			"a week with a clock change", "last=12w&tz=Europe/Berlin", "2026-10-26T12:00:00Z",
			time.Date(2026, 8, 9, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 26, 23, 0, 0, 0, time.UTC),
		},
		{
			"tomorrow has no midnight, west", "last=4w&tz=America/Sao_Paulo", "2018-11-03T03:30:00Z", // 3 Nov 00:30; 4 Nov begins at 01:00
			time.Date(2018, 10, 7, 3, 0, 0, 0, time.UTC), time.Date(2018, 11, 4, 3, 0, 0, 0, time.UTC),
		},
		{
			"tomorrow has no midnight, east", "last=4w&tz=Asia/Beirut", "2026-03-27T22:30:00Z", // 28 March 00:30; 29 March begins at 01:00
			time.Date(2026, 2, 28, 22, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC),
		},
		{
			"today had no midnight", "last=4w&tz=America/Sao_Paulo", "2018-11-04T03:30:00Z",
			time.Date(2018, 10, 8, 3, 0, 0, 0, time.UTC), time.Date(2018, 11, 5, 2, 0, 0, 0, time.UTC),
		},
		{
			"the last day of a long month", "last=12m", "2026-03-31T12:00:00Z",
			time.Date(2025, 4, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		},
		{
			"a Sunday ends the running week", "last=12w", "2026-05-24T12:00:00Z",
			time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 25, 0, 0, 0, 0, time.UTC),
		},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		v := seenAt(t, c.query, "UTC", now)
		if !v.Window.From.Equal(c.from) || !v.Window.To.Equal(c.to) {
			t.Errorf("%s: got %s to %s, want %s to %s", c.name, v.Window.From.UTC(), v.Window.To.UTC(), c.from, c.to)
		}
	}
}

// The week in which clocks go back is one bucket of 169 hours, and its days are seven.
func TestAWeekWithAClockChange(t *testing.T) {
	v := seen(t, "from=2026-10-19&to=2026-10-26&tz=Europe/Berlin", "UTC", "2026-11-24")
	days, err := v.Window.Spans(v.Bucket)
	if err != nil || len(days) != 7 || v.Window.To.Sub(v.Window.From) != 169*time.Hour {
		t.Errorf("got %d days of %s in all (%v), want 7 and 169 h", len(days), v.Window.To.Sub(v.Window.From), err)
	}
	if got, want := v.Dates(), "19 Oct to 25 Oct 2026"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := v.At(time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)), "25 Oct 2026 02:30"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The words of a window name its first and its last day in its zone.
func TestWindowsInWords(t *testing.T) {
	for query, want := range map[string]string{
		"": "last 12 weeks", "last=12m": "last 12 months", "from=2025-12-01&to=2026-01-01": "1 Dec to 31 Dec 2025", "from=2025-12-31&to=2026-01-02": "31 Dec 2025 to 1 Jan 2026",
		"from=2026-05-01&to=2026-05-02&tz=Asia/Kolkata": "1 May to 1 May 2026",
	} {
		if got := seen(t, query, "UTC", "2026-05-20").Words(); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}

// A window that was or will be long from now is a window; one that holds too much says so.
func TestFarWindows(t *testing.T) {
	for query, bucket := range map[string]metrics.Bucket{
		"from=1970-01-01&to=1970-02-01": metrics.Day, "from=2100-01-01&to=2101-01-01": metrics.Month, "from=1900-01-01&to=2026-01-01": metrics.Quarter,
		"from=0001-01-01&to=0001-01-02": metrics.Day, "from=9999-12-30&to=9999-12-31": metrics.Day,
	} {
		if v := seen(t, query, "UTC", "2026-05-20"); v.Bucket != bucket {
			t.Errorf("%q: got buckets of a %s, want %s", query, v.Bucket, bucket)
		}
	}
	for _, query := range []string{"from=10000-01-01&to=10001-01-01", "from=2026-02-30&to=2026-03-01", "from=2026-06-01", "from=-1&to=2"} {
		p, _ := url.ParseQuery(query)
		if _, err := readView(p, "UTC", time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: got %v, want it refused", query, err)
		}
	}
}

// A link shows a colleague the same window, environment and buckets, whatever zone the pages are set up with; of what
// the address did not say nothing is carried on.
func TestLinksShowTheSame(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia", "Asia/Beirut"}
	rapid.Check(t, func(t *rapid.T) {
		q := url.Values{}
		now := time.Unix(rapid.Int64Range(1_400_000_000, 1_900_000_000).Draw(t, "now"), 0)
		home := rapid.SampledFrom(zones).Draw(t, "home")
		set := func(name string, values ...string) {
			if text := rapid.SampledFrom(append(values, "")).Draw(t, name); text != "" {
				q.Set(name, text)
			}
		}
		set("tz", zones...)
		set("bucket", "day", "week", "month", "quarter")
		set("environment", "staging", "a&b=c d/e%41", "prod-eu")
		if rapid.Bool().Draw(t, "rolls") {
			set("last", "4w", "12w", "26w", "12m")
		} else {
			from := now.AddDate(0, 0, -rapid.IntRange(2, 2000).Draw(t, "back"))
			q.Set("from", from.Format(time.DateOnly))
			if rapid.Bool().Draw(t, "ends") {
				q.Set("to", from.AddDate(0, 0, rapid.IntRange(1, 2000).Draw(t, "length")).Format(time.DateOnly))
			}
		}
		v, err := readView(q, home, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range []view{v, v.long()} {
			u, err := url.Parse(shown.Link(place("services", "a/b c%41?#é"), "service", "x&y", "cursor", ""))
			if err != nil {
				t.Fatal(err)
			}
			if want := "/services/a/b c%41?#é"; u.Path != want || u.Query().Get("service") != "x&y" || u.Query().Has("cursor") {
				t.Fatalf("got %s of %s", u.Path, u)
			}
			given := u.Query()
			given.Del("service")
			again, err := readView(given, home, now)
			if err != nil {
				t.Fatal(err)
			}
			if !again.Window.From.Equal(shown.Window.From) || !again.Window.To.Equal(shown.Window.To) || again.Zone() != shown.Zone() || again.Environment != shown.Environment {
				t.Fatalf("%s shows %s to %s in %s, want %s to %s in %s", u, again.From(), again.To(), again.Zone(), shown.From(), shown.To(), shown.Zone())
			}
			if shown.Last != "" && (again.Bucket != shown.Bucket || again.Last != shown.Last) {
				t.Fatalf("%s shows %s by %s, want %s by %s", u, again.Last, again.Bucket, shown.Last, shown.Bucket)
			}
		}
		carried, _ := url.ParseQuery(strings.TrimPrefix(strings.TrimPrefix(v.Link("/"), "/"), "?"))
		if carried.Encode() != q.Encode() {
			t.Fatalf("got %s, want %s", carried.Encode(), q.Encode())
		}
	})
}

// An address says the same to the API as to the pages: the window with its zone.
func TestTheAPIIsAskedForTheSameWindow(t *testing.T) {
	for query, want := range map[string]string{
		"last=4w":        "from=2026-04-23&to=2026-05-21&tz=Europe%2FBerlin",
		"last=4w&tz=UTC": "from=2026-04-23&to=2026-05-21",
		"from=2026-01-01&to=2026-02-01&environment=a+b": "environment=a+b&from=2026-01-01&to=2026-02-01&tz=Europe%2FBerlin",
		"from=2026-01-01T12:30&to=2026-02-01&tz=UTC":    "from=2026-01-01T12%3A30%3A00&to=2026-02-01",
	} {
		if got := seen(t, query, "Europe/Berlin", "2026-05-20").fixed().Encode(); got != want {
			t.Errorf("%q: got %s, want %s", query, got, want)
		}
	}
}
