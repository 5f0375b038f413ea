package demo

import (
	"fmt"
	"time"
)

// calendar is when people of one time zone work.
type calendar struct{ zone *time.Location }

func newCalendar(zone string) calendar {
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(fmt.Sprintf("the time zones of the program lack %s: %v", zone, err))
	}
	return calendar{location}
}

// day is the midnight, in UTC, that starts a day.
func day(at time.Time) time.Time {
	y, m, d := at.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// monday is the start of a week.
func monday(at time.Time) time.Time {
	return day(at).AddDate(0, 0, -(int(at.UTC().Weekday())+6)%7)
}

// firstOfMonth is the start of a month.
func firstOfMonth(at time.Time) time.Time {
	y, m, _ := at.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

// frozen tells whether production is frozen on a day: from 15 December to 2 January.
func frozen(at time.Time) bool {
	_, m, d := at.Date()
	return m == time.December && d >= 15 || m == time.January && d <= 2
}

func weekend(at time.Time) bool {
	return at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
}

// off tells whether nobody is expected to work on a day.
func off(at time.Time) bool {
	_, m, d := at.Date()
	return weekend(at) || m == time.December && (d >= 24 && d <= 26 || d == 31) || m == time.January && d == 1 || m == time.May && d == 1
}

// diligence is how much is begun on a day, compared to an ordinary Tuesday.
func diligence(at time.Time) float64 {
	share := 1.0
	switch {
	case weekend(at):
		return 0.03
	case off(at):
		return 0.02
	case frozen(at):
		share = 0.25
	case at.Month() == time.August:
		share = 0.55
	case at.Month() == time.July:
		share = 0.85
	}
	switch at.Weekday() {
	case time.Monday:
		share *= 0.92
	case time.Friday:
		share *= 0.82
	}
	return share
}

// hoursOfDay is how much is begun in each hour of the day, by the local clock: two humps with lunch between them.
var hoursOfDay = [24]float64{
	7: 0.1, 8: 0.5, 9: 1, 10: 1.25, 11: 1.1, 12: 0.4, 13: 0.75, 14: 1.15, 15: 1.15, 16: 1, 17: 0.55, 18: 0.2, 19: 0.08, 20: 0.06, 21: 0.05, 22: 0.02,
}

// instant draws a time of a day at which someone does something.
func (cal calendar) instant(c chance, date time.Time) time.Time {
	total := 0.0
	for _, w := range hoursOfDay {
		total += w
	}
	hour, left := 0, c.Float64()*total
	for left > hoursOfDay[hour] && hour < 22 {
		left -= hoursOfDay[hour]
		hour++
	}
	return cal.at(date, hour, c.IntN(60)).Add(c.between(0, time.Minute))
}

// at is a local time of a day.
func (cal calendar) at(date time.Time, hour, minute int) time.Time {
	y, m, d := date.Date()
	return time.Date(y, m, d, hour, minute, 0, 0, cal.zone).UTC()
}

// local is an instant by the local clock.
func (cal calendar) local(at time.Time) time.Time { return at.In(cal.zone) }

// shifts are the hours of a working day: eight, with a break.
var shifts = [2][2]time.Duration{
	{9 * time.Hour, 12*time.Hour + 30*time.Minute},
	{13*time.Hour + 15*time.Minute, 17*time.Hour + 45*time.Minute},
}

// after is the instant until which so many hours of work were done since another.
func (cal calendar) after(at time.Time, hours float64) time.Time {
	left := time.Duration(hours * float64(time.Hour)).Truncate(time.Second)
	for date := cal.local(at); ; date = date.AddDate(0, 0, 1) {
		if off(date) {
			continue
		}
		midnight := cal.at(date, 0, 0)
		for _, s := range shifts {
			begin, end := midnight.Add(s[0]), midnight.Add(s[1])
			if begin.Before(at) {
				begin = at
			}
			if worked := end.Sub(begin); worked > 0 {
				if left <= worked {
					return begin.Add(left)
				}
				left -= worked
			}
		}
	}
}

// thaw is the first day of the next year on which production is no longer frozen and people work.
func (cal calendar) thaw(at time.Time) time.Time {
	date := cal.local(at)
	for frozen(date) || off(date) {
		date = date.AddDate(0, 0, 1)
	}
	return cal.at(date, 9, 0)
}
