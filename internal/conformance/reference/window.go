package reference

import (
	"fmt"
	"time"
)

type bucket struct {
	from, to time.Time
	label    string
}

// cut cuts the window at local midnights into days, ISO weeks (Monday) or months, clipped to the window (§9, §14).
func cut(from, to time.Time, kind string, location *time.Location) ([]bucket, error) {
	var buckets []bucket
	start := from.In(location)
	start = midnight(start.Year(), start.Month(), start.Day(), location)
	switch kind {
	case "day":
	case "iso_week":
		start = monday(from, location)
	case "month":
		start = midnight(start.Year(), start.Month(), 1, location)
	default:
		return nil, fmt.Errorf("there is no bucket %q", kind)
	}
	for start.Before(to) {
		y, m, d := start.Date()
		var end time.Time
		var label string
		switch kind {
		case "day":
			end, label = midnight(y, m, d+1, location), start.Format(time.DateOnly)
		case "iso_week":
			year, week := start.ISOWeek()
			end, label = midnight(y, m, d+7, location), fmt.Sprintf("%d-W%02d", year, week)
		case "month":
			end, label = midnight(y, m+1, 1, location), start.Format("2006-01")
		}
		buckets = append(buckets, bucket{from: latest(start, from), to: earliest(end, to), label: label})
		start = end
	}
	return buckets, nil
}

func midnight(year int, month time.Month, day int, location *time.Location) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, location)
}

// monday is the local midnight at which the ISO week of t begins.
func monday(t time.Time, location *time.Location) time.Time {
	y, m, d := t.In(location).Date()
	return midnight(y, m, d-(int(t.In(location).Weekday())+6)%7, location)
}

// earliest and latest ignore zero times.
func earliest(times ...time.Time) time.Time {
	var best time.Time
	for _, t := range times {
		if !t.IsZero() && (best.IsZero() || t.Before(best)) {
			best = t
		}
	}
	return best
}

func latest(times ...time.Time) time.Time {
	var best time.Time
	for _, t := range times {
		if t.After(best) {
			best = t
		}
	}
	return best
}

// span is [from, to); a zero from reaches back for ever, a zero to forward.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool {
	return (s.from.IsZero() || !t.Before(s.from)) && (s.to.IsZero() || t.Before(s.to))
}

// meet is the part that two spans share.
func (s span) meet(other span) (span, bool) {
	both := span{from: latest(s.from, other.from), to: earliest(s.to, other.to)}
	return both, both.to.IsZero() || both.from.Before(both.to)
}
