package dashboards

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/metrics"
)

// view is what of the data a page shows: a window cut into buckets, a zone, an environment. It is read from the
// address, and every link of the page carries it on, so that an address shows a colleague the same page.
type view struct {
	Window      metrics.Window
	Bucket      metrics.Bucket
	Environment string // "" is production
	Last        string // the rolling window that was chosen; "" for one with fixed ends

	zone  string
	given url.Values // what of it the address says
}

// span is a window that rolls: it ends with today.
type span struct {
	Name, Label string
	days        int
	bucket      metrics.Bucket
}

// rolling are the windows to choose from. The second is shown when nothing is chosen.
func rolling() []span {
	return []span{
		{"4w", "4 weeks", 28, metrics.Day},
		{"12w", "12 weeks", 84, metrics.Week},
		{"26w", "26 weeks", 182, metrics.Week},
		{"12m", "12 months", 0, metrics.Month},
	}
}

const usual = "12w"

// viewParams are the parameters of an address that make up a view.
func viewParams() []string { return []string{"last", "from", "to", "bucket", "tz", "environment"} }

// readView reads a view from an address. Errors are fault.Invalid and name the parameter.
func readView(p url.Values, zone string, now time.Time) (view, error) {
	v := view{Environment: p.Get("environment"), given: url.Values{}, zone: zone}
	for _, name := range viewParams() {
		if text := p.Get(name); text != "" {
			v.given.Set(name, text)
		}
	}
	if tz := p.Get("tz"); tz != "" {
		v.zone = tz
	}
	location, err := metrics.ParseZone(v.zone)
	if err != nil {
		return v, err
	}
	if v.Bucket, err = metrics.ParseBucket(p.Get("bucket")); err != nil {
		return v, err
	}
	from, to := p.Get("from"), p.Get("to")
	year, month, date := now.In(location).Date()
	today := time.Date(year, month, date, 0, 0, 0, 0, time.UTC) // a date: clocks of the zone that change do not matter
	if from == "" && to == "" {
		return v.roll(p.Get("last"), today)
	}
	if p.Get("last") != "" {
		return v, fault.New(fault.Invalid, "last is %q: a window is given by last or by from and to, not by both", p.Get("last"))
	}
	if to == "" {
		to = today.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	if from == "" {
		return v, fault.New(fault.Invalid, "from is missing: expected a date such as 2026-01-31 with to = %s", to)
	}
	if v.Window, err = metrics.ParseWindow(from, to, v.zone); err != nil {
		return v, err
	}
	if v.Bucket == metrics.Whole {
		v.Bucket = fitting(v.Window)
	}
	return v, nil
}

// roll makes the window that ends with today.
func (v view) roll(name string, today time.Time) (view, error) {
	if name == "" {
		name = usual
	}
	all := rolling()
	i := slices.IndexFunc(all, func(s span) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return v, fault.New(fault.Invalid, "last is %q: expected one of %s", name, strings.Join(names, ", "))
	}
	s := all[i]
	v.Last = s.Name
	if v.Bucket == metrics.Whole {
		v.Bucket = s.bucket
	}
	to := today.AddDate(0, 0, 1)
	from := to.AddDate(0, 0, -s.days)
	switch s.bucket {
	case metrics.Week: // whole weeks and the running one
		monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
		from = monday.AddDate(0, 0, 7-s.days)
	case metrics.Month:
		from = time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, today.Location()).AddDate(0, -11, 0)
	}
	var err error
	v.Window, err = metrics.ParseWindow(from.Format(time.DateOnly), to.Format(time.DateOnly), v.zone)
	return v, err
}

// fitting is the bucket that cuts a window into a readable number of pieces.
func fitting(w metrics.Window) metrics.Bucket {
	switch days := w.To.Sub(w.From).Hours() / 24; {
	case days <= 35:
		return metrics.Day
	case days <= 7*40:
		return metrics.Week
	case days <= 31*40:
		return metrics.Month
	}
	return metrics.Quarter
}

// place is the path of the page about one thing, such as place("services", "acme/shop").
func place(kind, id string) string { return "/" + kind + "/" + url.PathEscape(id) }

// Link is the address of another page with the same view. pairs are further parameters, name and value; an empty value
// leaves a parameter out.
func (v view) Link(path string, pairs ...string) string {
	q := url.Values{}
	for name, values := range v.given {
		q[name] = values
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
			continue
		}
		q.Set(pairs[i], pairs[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// fixed are the parameters that ask the API for the same window, whatever the day.
func (v view) fixed() url.Values {
	w := v.Window.JSON()
	q := url.Values{"from": {day(w.From)}, "to": {day(w.To)}}
	if w.TimeZone != "UTC" {
		q.Set("tz", w.TimeZone)
	}
	if v.Environment != "" {
		q.Set("environment", v.Environment)
	}
	return q
}

// day leaves midnight out of a local time.
func day(local string) string { return strings.TrimSuffix(local, "T00:00:00") }

// Words says the window: "last 12 weeks", or its ends.
func (v view) Words() string {
	for _, s := range rolling() {
		if s.Name == v.Last {
			return "last " + s.Label
		}
	}
	return v.Dates()
}

// when says the window in a sentence.
func (v view) when() string {
	if v.Last == "" {
		return "from " + v.Dates()
	}
	return "in the " + v.Words()
}

// Dates are the first and the last day of the window.
func (v view) Dates() string {
	from, to := v.Window.From, v.Window.To
	last := to.Add(-time.Nanosecond).In(v.Window.Zone)
	format := "2 Jan 2006"
	if from.Year() == last.Year() {
		return from.Format("2 Jan") + " to " + last.Format(format)
	}
	return from.Format(format) + " to " + last.Format(format)
}

// Zone is the view's time zone.
func (v view) Zone() string { return v.Window.Zone.String() }

// From and To are the ends of the window as the address has them; To is the first day after it.
func (v view) From() string { return day(v.Window.JSON().From) }

// To is the first day after the window.
func (v view) To() string { return day(v.Window.JSON().To) }

// long is the same view over the last year, in quarters: for what happens too rarely for the window.
func (v view) long() view {
	v.Window.From = v.Window.To.In(v.Window.Zone).AddDate(-1, 0, 0)
	v.Bucket, v.Last = metrics.Quarter, ""
	tz := v.given.Get("tz")
	v.given = v.fixed()
	if tz != "" {
		v.given.Set("tz", tz) // UTC, too, where pages have another zone of their own
	}
	return v
}

// Buckets are the ways of cutting the window to choose from.
func (view) Buckets() []metrics.Bucket {
	return []metrics.Bucket{metrics.Day, metrics.Week, metrics.Month, metrics.Quarter}
}

// At writes an instant in the view's zone.
func (v view) At(t time.Time) string { return t.In(v.Window.Zone).Format("2 Jan 2006 15:04") }

// Day writes the date of an instant in the view's zone.
func (v view) Day(t time.Time) string { return t.In(v.Window.Zone).Format("2 Jan 2006") }

// Given are the parameters of the view that the address names.
func (v view) Given() url.Values { return v.given }
