package event

import (
	"strconv"
	"time"
)

const expectedInstant = "an RFC 3339 instant with a zone, such as 2026-01-31T09:30:00Z, in the years 1970 to 2106"

// latestInstant is the last millisecond that 42 bits hold; lastYear ends before it in every zone.
const latestInstant = 1<<42 - 1

// parseInstant reads an RFC 3339 date-time and returns milliseconds since 1970; digits beyond milliseconds are cut
// off. When s is not one, wrong says in what way. It is stricter than the time package: a second of 60, a zone of
// 24:00, a comma before the fraction and a one-digit hour are refused.
func parseInstant(s []byte) (ms int64, wrong string) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, "not a date and time"
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 {
		return 0, "not a date and time"
	}
	if len(s) == 10 {
		return 0, "a date without time and zone"
	}
	if len(s) < 19 || s[10]|0x20 != 't' || s[13] != ':' {
		if s[10] == ' ' {
			return 0, "a space where T must stand between date and time"
		}
		return 0, "not a date and time"
	}
	hour, ok1 := digits(s[11:13])
	minute, ok2 := digits(s[14:16])
	second, ok3 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || s[16] != ':' {
		return 0, "not a date and time with seconds"
	}
	switch {
	case month < 1 || month > 12 || day < 1 || day > daysIn(year, month):
		return 0, "no such day"
	case hour > 23 || minute > 59 || second > 59:
		return 0, "no such time of day"
	case year < firstYear || year > lastYear:
		return 0, "outside the years 1970 to 2106"
	}
	ms = (daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second)) * 1000
	s = s[19:]
	if len(s) > 0 && s[0] == '.' {
		n := 1
		for unit := int64(100); n < len(s) && s[n]-'0' <= 9; n++ {
			ms += int64(s[n]-'0') * unit
			unit /= 10
		}
		if n == 1 {
			return 0, "a fraction without digits"
		}
		s = s[n:]
	}
	switch {
	case len(s) == 0:
		return 0, "no zone: end it with Z or an offset such as +02:00"
	case len(s) == 1 && s[0]|0x20 == 'z':
	case len(s) == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':':
		hours, ok1 := digits(s[1:3])
		minutes, ok2 := digits(s[4:6])
		if !ok1 || !ok2 || hours > 23 || minutes > 59 {
			return 0, "no such zone"
		}
		offset := int64(hours*3600+minutes*60) * 1000
		if s[0] == '-' {
			offset = -offset
		}
		ms -= offset
	default:
		return 0, "no such zone: end it with Z or an offset such as +02:00"
	}
	if ms < 0 {
		return 0, "before 1970 in UTC"
	}
	return ms, ""
}

func digits(s []byte) (n int, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days of the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
// algorithms", days_from_civil).
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468)
}

// validDate says whether s is a day, YYYY-MM-DD, in the years that facts may lie in.
func validDate(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && len(s) == len(time.DateOnly) && t.Year() >= firstYear && t.Year() <= lastYear
}

// appendInstant writes t in UTC, cut to milliseconds.
func appendInstant(dst []byte, t time.Time) []byte {
	return t.UTC().Truncate(time.Millisecond).AppendFormat(dst, time.RFC3339Nano)
}

// appendNumber writes n as the shortest JSON number that reads back as n.
func appendNumber(dst []byte, n float64) []byte {
	return strconv.AppendFloat(dst, n, 'f', -1, 64)
}
