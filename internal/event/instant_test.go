package event

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestInstants(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"},
		{"2026-01-31t09:30:00z", "2026-01-31T09:30:00Z"},
		{"2026-01-31T09:30:00+02:00", "2026-01-31T07:30:00Z"},
		{"2026-01-31T00:30:00.5+05:45", "2026-01-30T18:45:00.5Z"},
		{"2026-01-31T09:30:00-00:00", "2026-01-31T09:30:00Z"},
		{"2026-01-31T09:30:00.0019999999999Z", "2026-01-31T09:30:00.001Z"},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"2106-12-31T23:59:59.999-23:59", "2107-01-01T23:58:59.999Z"},
	} {
		ms, wrong := parseInstant([]byte(tt.in))
		if got := string(appendInstant(nil, time.UnixMilli(ms))); got != tt.want || wrong != "" {
			t.Errorf("%s: got %s, %q, want %s", tt.in, got, wrong, tt.want)
		}
	}
}

func TestWhatIsNoInstant(t *testing.T) {
	for _, tt := range []struct{ in, wrong string }{
		{"", "not a date and time"},
		{"yesterday, at noon", "not a date and time"},
		{"1767225600", "not a date and time"},
		{"2026-01-31", "a date without time and zone"},
		{"2026-01-31T09:30:00", "no zone"},
		{"2026-01-31T09:30:00.123", "no zone"},
		{"2026-01-31 09:30:00Z", "a space where T must stand"},
		{"2026-01-31T09:30Z", "not a date and time"},
		{"2026-01-31T09.30.00Z", "not a date and time"},
		{"2026-01-31T09:30:00,5Z", "no such zone"},
		{"2026-01-31T09:30:00.Z", "a fraction without digits"},
		{"2026-01-31T09:30:00+0200", "no such zone"},
		{"2026-01-31T09:30:00+02", "no such zone"},
		{"2026-01-31T09:30:00+24:00", "no such zone"},
		{"2026-01-31T09:30:00+02:60", "no such zone"},
		{"2026-01-31T09:30:00+a2:00", "no such zone"},
		{"2026-01-31T09:30:00 Europe/Berlin", "no such zone"},
		{"2026-1-31T09:30:00Z", "not a date and time"},
		{"2026-01-31T9:30:00Z00", "not a date and time"},
		{"2026-02-29T00:00:00Z", "no such day"},
		{"2100-02-29T00:00:00Z", "no such day"},
		{"2026-13-01T00:00:00Z", "no such day"},
		{"2026-00-01T00:00:00Z", "no such day"},
		{"2026-04-31T00:00:00Z", "no such day"},
		{"2026-01-31T24:00:00Z", "no such time of day"},
		{"2026-01-31T23:60:00Z", "no such time of day"},
		{"2026-01-31T23:59:60Z", "no such time of day"},
		{"1969-12-31T23:59:59Z", "outside the years"},
		{"2107-01-01T00:00:00Z", "outside the years"},
		{"0001-01-01T00:00:00Z", "outside the years"},
		{"1970-01-01T00:00:00+01:00", "before 1970 in UTC"},
		{"２０２６-01-31T09:30:00Z", "not a date and time"},
	} {
		if ms, wrong := parseInstant([]byte(tt.in)); !strings.Contains(wrong, tt.wrong) || wrong == "" {
			t.Errorf("%s: got %d, %q, want %q", tt.in, ms, wrong, tt.wrong)
		}
	}
}

func TestInstantsAreThoseOfTheTimePackage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-23*60, 23*60).Draw(t, "minutes")*60)
		want := time.UnixMilli(rapid.Int64Range(24*3600*1000, 4_323_283_199_999-24*3600*1000).Draw(t, "ms")).In(zone)
		ms, wrong := parseInstant([]byte(want.Format(time.RFC3339Nano)))
		if wrong != "" || ms != want.UnixMilli() {
			t.Errorf("%s: got %d, %q, want %d", want, ms, wrong, want.UnixMilli())
		}
	})
}

func FuzzInstant(f *testing.F) {
	f.Add("2026-01-31T09:30:00.5+02:00")
	f.Fuzz(func(t *testing.T, s string) {
		ms, wrong := parseInstant([]byte(s))
		if wrong != "" {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
		if err != nil || want.UnixMilli() != ms {
			t.Errorf("%s: got %d, the time package says %v, %v", s, ms, want, err)
		}
	})
}
