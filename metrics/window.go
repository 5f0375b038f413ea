package metrics

import (
	"fmt"
	"time"

	"cairn/internal/fault"
)

// Window is the half-open span [From, To) of local wall clock in a time zone.
type Window struct {
	From time.Time
	To   time.Time
	Zone *time.Location
}

// layouts are the forms in which the ends of a window may be written, local to the window's zone.
var layouts = [...]string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05"}

// ParseWindow reads the ends of a window, each a local date or date and time (2026-01-31, 2026-01-31T14:30), or an
// instant with a zone of its own (RFC 3339).
func ParseWindow(from, to, zone string) (Window, error) {
	location, err := ParseZone(zone)
	if err != nil {
		return Window{}, err
	}
	w := Window{Zone: location}
	for _, end := range []struct {
		name, text string
		at         *time.Time
	}{{"from", from, &w.From}, {"to", to, &w.To}} {
		if *end.at, err = parseLocal(end.text, location); err != nil {
			return Window{}, fault.New(fault.Invalid, "%s is %q: expected a date such as 2026-01-31 or a time such as 2026-01-31T14:30", end.name, end.text)
		}
	}
	if !w.From.Before(w.To) {
		return Window{}, fault.New(fault.Invalid, "from (%s) must be before to (%s)", from, to)
	}
	return w, nil
}

func parseLocal(text string, location *time.Location) (time.Time, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil && t.Equal(date(t)) {
			return midnight(t, location), nil
		}
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	return t.In(location), err
}

// ParseZone finds an IANA time zone.
func ParseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		name = "UTC"
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fault.New(fault.Invalid, "time zone is %q: expected an IANA name such as Europe/Berlin or UTC", name)
	}
	return location, nil
}

// Bucket is a way of cutting a window.
type Bucket string

// Buckets. A week is an ISO week, from Monday.
const (
	Whole   Bucket = ""
	Day     Bucket = "day"
	Week    Bucket = "week"
	Month   Bucket = "month"
	Quarter Bucket = "quarter"
)

// ParseBucket reads a bucket's name.
func ParseBucket(name string) (Bucket, error) {
	switch b := Bucket(name); b {
	case Whole, Day, Week, Month, Quarter:
		return b, nil
	case "iso_week":
		return Week, nil
	}
	return "", fault.New(fault.Invalid, "bucket is %q: expected day, week, month or quarter", name)
}

// Span is one bucket of a window, clipped to it.
type Span struct {
	From, To time.Time
	// Key is the local date on which the whole bucket starts.
	Key time.Time
	// Label names the bucket: 2026-02-03, 2026-W06, 2026-02, 2026-Q1.
	Label string
}

// maxSpans bounds the number of buckets of one answer.
const maxSpans = 5000

// Spans cuts the window at the local midnights where buckets begin.
func (w Window) Spans(b Bucket) ([]Span, error) {
	var spans []Span
	day := bucketStart(w.From, b)
	for {
		start := midnight(day, w.Zone)
		if !start.Before(w.To) {
			return spans, nil
		}
		next := nextBucket(day, b)
		s := Span{From: start, To: midnight(next, w.Zone), Key: day, Label: label(day, b)}
		if s.From.Before(w.From) {
			s.From = w.From
		}
		if s.To.After(w.To) {
			s.To = w.To
		}
		if s.From.Before(s.To) {
			spans = append(spans, s)
		}
		if len(spans) > maxSpans {
			return nil, fault.New(fault.Invalid, "the window holds more than %d buckets of a %s: choose a shorter window or a larger bucket", maxSpans, b)
		}
		day = next
	}
}

// bucketStart is the local date, at midnight UTC, on which the bucket of t begins.
func bucketStart(t time.Time, b Bucket) time.Time {
	year, month, dayOfMonth := t.Date()
	day := time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
	switch b {
	case Week:
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case Month:
		return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	case Quarter:
		return time.Date(year, (month-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return day
}

func nextBucket(day time.Time, b Bucket) time.Time {
	switch b {
	case Week:
		return day.AddDate(0, 0, 7)
	case Month:
		return day.AddDate(0, 1, 0)
	case Quarter:
		return day.AddDate(0, 3, 0)
	}
	return day.AddDate(0, 0, 1)
}

// midnight is the first instant of a local date. Where the zone skips midnight the date begins when the gap ends, and
// where midnight comes twice it begins with the first.
func midnight(day time.Time, zone *time.Location) time.Time {
	t := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	start, end := t.ZoneBounds()
	if t.Day() != day.Day() {
		return end
	}
	if !start.IsZero() {
		_, offset := start.Add(-time.Second).Zone()
		if first := day.Add(-time.Duration(offset) * time.Second); first.Before(start) {
			return first.In(zone)
		}
	}
	return t
}

func label(day time.Time, b Bucket) string {
	switch b {
	case Week:
		year, week := day.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	case Month:
		return day.Format("2006-01")
	case Quarter:
		return fmt.Sprintf("%04d-Q%d", day.Year(), (int(day.Month())+2)/3)
	}
	return day.Format("2006-01-02")
}

// Previous is the window of the same length right before: as many whole months where both ends begin a month, else as
// many days and as much time of day.
func (w Window) Previous() Window {
	from, to := w.From.In(w.Zone), w.To.In(w.Zone)
	if firstOfMonth(from) && firstOfMonth(to) {
		months := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
		return Window{From: from.AddDate(0, -months, 0), To: w.From, Zone: w.Zone}
	}
	if sameClock(from, to) {
		days := int(date(to).Sub(date(from)) / (24 * time.Hour))
		return Window{From: from.AddDate(0, 0, -days), To: w.From, Zone: w.Zone}
	}
	return Window{From: w.From.Add(-w.To.Sub(w.From)), To: w.From, Zone: w.Zone}
}

func firstOfMonth(t time.Time) bool {
	return t.Day() == 1 && t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0
}

func sameClock(a, b time.Time) bool {
	return a.Hour() == b.Hour() && a.Minute() == b.Minute() && a.Second() == b.Second()
}

// date is the local date of t as midnight UTC.
func date(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
