package reports

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"cairn/internal/fault"
	"cairn/metrics"
)

// Week is an ISO week: it begins on a Monday.
type Week struct{ monday time.Time } // midnight UTC of a date

var weekName = regexp.MustCompile(`^(\d{4})-W(\d{2})$`)

// ParseWeek reads a week such as 2026-W20.
func ParseWeek(text string) (Week, error) {
	wrong := fault.New(fault.Invalid, "week is %.40q: expected an ISO week such as 2026-W20", text)
	m := weekName.FindStringSubmatch(text)
	if m == nil {
		return Week{}, wrong
	}
	year, _ := strconv.Atoi(m[1])
	number, _ := strconv.Atoi(m[2])
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // always in the first week
	w := weekOf(fourth).plus(number - 1)
	if w.String() != text {
		return Week{}, wrong
	}
	return w, nil
}

// weekOf is the week that a date lies in.
func weekOf(t time.Time) Week {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return Week{day.AddDate(0, 0, -(int(day.Weekday())+6)%7)}
}

// Last is the last week that is over at an instant, in a zone.
func Last(now time.Time, zone *time.Location) Week { return weekOf(now.In(zone)).plus(-1) }

func (w Week) plus(weeks int) Week { return Week{w.monday.AddDate(0, 0, 7*weeks)} }

// String writes the week as 2026-W20.
func (w Week) String() string {
	year, number := w.monday.ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, number)
}

// window is so many weeks up to this one, included, in a zone.
func (w Week) window(weeks int, zone *time.Location) (metrics.Window, error) {
	return metrics.ParseWindow(w.plus(1-weeks).monday.Format(time.DateOnly), w.plus(1).monday.Format(time.DateOnly), zone.String())
}

// year is the year up to the end of this week.
func (w Week) year(zone *time.Location) (metrics.Window, error) {
	end := w.plus(1).monday
	return metrics.ParseWindow(end.AddDate(-1, 0, 0).Format(time.DateOnly), end.Format(time.DateOnly), zone.String())
}

// Dates are the first and the last day, in words.
func (w Week) Dates() string {
	last := w.monday.AddDate(0, 0, 6)
	if w.monday.Year() == last.Year() {
		return w.monday.Format("2 Jan") + " to " + last.Format("2 Jan 2006")
	}
	return w.monday.Format("2 Jan 2006") + " to " + last.Format("2 Jan 2006")
}

// due is when the mail about a week is to be sent: on the given day and hour after its end, in the zone's own clock.
func (w Week) due(day time.Weekday, hour int, zone *time.Location) time.Time {
	date := w.plus(1).monday.AddDate(0, 0, (int(day)+6)%7)
	return time.Date(date.Year(), date.Month(), date.Day(), hour, 0, 0, 0, zone)
}
