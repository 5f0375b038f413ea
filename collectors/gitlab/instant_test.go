package gitlab

import (
	"testing"
	"time"
)

func TestInstantsAreReadInEachOfTheWaysInWhichGitLabWritesThem(t *testing.T) {
	for text, want := range map[string]string{
		"2021-04-28T19:50:00Z":                "2021-04-28T19:50:00Z",
		"2021-04-28T19:50:00.123Z":            "2021-04-28T19:50:00.123Z",
		"2021-04-28T21:50:00.123456789+02:00": "2021-04-28T19:50:00.123Z",
		"2021-04-28 21:50:00 +0200":           "2021-04-28T19:50:00Z",
		"2021-04-28 21:50:00.5 +0200":         "2021-04-28T19:50:00.5Z",
		"2016-08-12 15:23:28 UTC":             "2016-08-12T15:23:28Z",
		" 2016-08-12 15:23:28 UTC ":           "2016-08-12T15:23:28Z",
		"2016-08-12 15:23:28 -0330":           "2016-08-12T18:53:28Z",
		"2016-08-12 17:23:28 +02:00":          "2016-08-12T15:23:28Z",
		"2016-08-12T17:23:28+0200":            "2016-08-12T15:23:28Z",
		"0001-01-01T00:00:00Z":                "",
		"9999-12-31T00:00:00Z":                "",
		"2016-08-12":                          "", // a day is no instant
		"2016-08-12 15:23:28 CEST":            "", // a zone that has no one meaning
		"yesterday":                           "",
		"":                                    "",
	} {
		got := ""
		if at := parseInstant(text); !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

func FuzzInstants(f *testing.F) {
	for _, seed := range []string{"2021-04-28 21:50:00 +0200", "2016-08-12 15:23:28 UTC", "2021-04-28T21:50:00.123456789+02:00", "0001-01-01T00:00:00Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := parseInstant(text)
		if at.IsZero() {
			return
		}
		if at.Location() != time.UTC || at.Year() < 1970 || at.Year() > 2106 || !at.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("%q is read as %v", text, at)
		}
		if again := parseInstant(at.Format(time.RFC3339Nano)); again != at {
			t.Errorf("%v is read again as %v", at, again)
		}
	})
}
