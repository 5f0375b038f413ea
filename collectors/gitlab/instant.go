package gitlab

import (
	"strings"
	"time"
)

// layouts are those in which GitLab writes instants: the API and some webhooks in RFC 3339, other webhooks as Ruby shows
// a time, with a zone's offset, or its name, which is UTC always.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999 -0700",
	"2006-01-02 15:04:05.999999999 -07:00",
	"2006-01-02 15:04:05.999999999 UTC",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999-0700",
}

// parseInstant reads an instant as GitLab writes it in one of many ways; zero when there is none, or no one can tell. An
// instant has a whole number of milliseconds: what the API shows.
func parseInstant(text string) time.Time {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return bound(t)
		}
	}
	return time.Time{}
}

// bound is an instant in UTC with whole milliseconds; zero when it lies outside the years that a fact may have.
func bound(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	if t.Year() < 1970 || t.Year() > 2106 {
		return time.Time{}
	}
	return t
}

// earliest is the earliest instant that is known.
func earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, t := range instants {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// latest is the latest instant.
func latest(instants ...time.Time) time.Time {
	var last time.Time
	for _, t := range instants {
		if t.After(last) {
			last = t
		}
	}
	return last
}
