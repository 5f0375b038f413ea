package survey

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"cairn/internal/fault"
)

// Orders of dates that a file leaves open.
const (
	dayFirst   = "day/month/year"
	monthFirst = "month/day/year"
)

// clock reads instants as survey tools write them, in the language and the zone of whoever exported.
type clock struct {
	zone     *time.Location
	dayFirst bool
}

var (
	// datePart is a date in digits with what follows it.
	datePart = regexp.MustCompile(`^(\d{1,4})([./-]) ?(\d{1,2})[./-] ?(\d{1,4})\.?(?:[T, ]+(.*))?$`)
	timePart = regexp.MustCompile(`(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?`)
	offset   = regexp.MustCompile(`^(?:gmt|utc)?([+-]|−)(\d{1,2}):?(\d{2})?$`)
	serial   = regexp.MustCompile(`^([45]\d{4})(?:[.,](\d+))?$`)
)

// Words that stand beside a time, without their dots and spaces. Abbreviations of zones that mean several are not here.
var (
	morning   = words("am", "上午", "午前", "오전", "πμ", "sa", "ص")
	afternoon = words("pm", "下午", "午後", "오후", "μμ", "ch", "م")
	zones     = map[string]int{ // minutes east of Greenwich
		"z": 0, "gmt": 0, "utc": 0, "wet": 0, "west": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "eet": 120, "oez": 120, "eest": 180, "oesz": 180,
		"est": -300, "edt": -240, "pst": -480, "pdt": -420, "jst": 540,
	}
)

func words(list ...string) map[string]bool {
	set := map[string]bool{}
	for _, word := range list {
		set[word] = true
	}
	return set
}

// clock finds out how a column writes dates. A file in which nothing says whether the day or the month comes first is
// refused: a guess would be wrong for half of the year.
func (m *Mapping) clock(t *table, column int) (clock, error) {
	c := clock{zone: m.zone, dayFirst: m.Dates == dayFirst}
	if m.Dates != "" || column < 0 {
		return c, nil
	}
	open, day, month := "", 0, 0
	for _, row := range t.rows {
		text := spaces(row.at(column))
		found := datePart.FindStringSubmatch(text)
		if found == nil || len(found[1]) > 2 || found[2] == "." {
			continue
		}
		first, _ := strconv.Atoi(found[1])
		second, _ := strconv.Atoi(found[3])
		switch {
		case first > 12:
			day = row.line
		case second > 12:
			month = row.line
		case first != second && open == "":
			open = text
		}
	}
	switch {
	case day > 0 && month > 0:
		return c, fault.New(fault.Invalid, "%s: in the column %q the day comes first in line %d and the month in line %d: say dates: %s or dates: %s in the mapping", t.name, t.header[column], day, month, dayFirst, monthFirst)
	case day == 0 && month == 0 && open != "":
		return c, fault.New(fault.Invalid, "%s: in the column %q nothing says whether %q begins with the day or the month: say dates: %s or dates: %s in the mapping", t.name, t.header[column], clip(open), dayFirst, monthFirst)
	}
	c.dayFirst = day > 0
	return c, nil
}

// spaces are all of one kind, also in what East Asian exports write.
func spaces(text string) string {
	return tidy(strings.NewReplacer("a.m.", "am", "p.m.", "pm", "A.M.", "am", "P.M.", "pm", "a. m.", "am", "p. m.", "pm", "年", "/", "月", "/", "日", " ", "년", "/", "월", "/", "일", " ", ". ", ".", "\u200e", "", "\u200f", "").Replace(text))
}

func (c clock) instant(text string) (time.Time, error) {
	wrong := fault.New(fault.Invalid, "%q is no date with a time that is known here, such as 2026-03-01 14:05:09 or 2026-03-01T14:05:09Z", clip(text))
	if tidy(text) == "" {
		return time.Time{}, fault.New(fault.Invalid, "it is empty: nothing says when the answer was given")
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC"} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return bounded(at, wrong)
		}
	}
	text = spaces(text)
	if found := serial.FindStringSubmatch(text); found != nil { // as a spreadsheet keeps it
		days, _ := strconv.ParseFloat(found[1]+"."+found[2]+"0", 64)
		whole := int(days)
		seconds := int((days-float64(whole))*86400 + 0.5)
		return bounded(time.Date(1899, 12, 30+whole, 0, 0, seconds, 0, c.zone), wrong)
	}
	found := datePart.FindStringSubmatch(text)
	if found == nil {
		return time.Time{}, wrong
	}
	first, _ := strconv.Atoi(found[1])
	second, _ := strconv.Atoi(found[3])
	third, _ := strconv.Atoi(found[4])
	year, month, day := first, second, third
	switch {
	case len(found[1]) == 4 && len(found[4]) <= 2:
	case len(found[1]) > 2 || len(found[4]) == 3 || len(found[4]) == 1:
		return time.Time{}, wrong
	case c.dayFirst || found[2] == ".":
		year, month, day = third, second, first
	default:
		year, month, day = third, first, second
	}
	if len(found[1]) <= 2 && len(found[4]) <= 2 && first > 12 && third > 12 && first <= 31 && third <= 31 && found[2] != "." {
		return time.Time{}, fault.New(fault.Invalid, "%q does not say which of its two ends is the year: export the file with years of four digits", clip(text))
	}
	if year < 100 {
		year += 2000
	}
	zone, hour, minute, second, ok := c.timeOfDay(found[5])
	if !ok || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, wrong
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, zone)
	if at.Day() != day { // 30 February; a change of the clock moves hours, not days
		return time.Time{}, wrong
	}
	return bounded(at, wrong)
}

// timeOfDay reads what follows a date: a time with words beside it that say which half of the day, or which zone.
func (c clock) timeOfDay(text string) (zone *time.Location, hour, minute, second int, ok bool) {
	zone = c.zone
	if text == "" {
		return zone, 0, 0, 0, true
	}
	span := timePart.FindStringSubmatchIndex(text)
	if span == nil {
		return zone, 0, 0, 0, false
	}
	number := func(group int) int {
		if span[2*group] < 0 {
			return 0
		}
		n, _ := strconv.Atoi(text[span[2*group]:span[2*group+1]])
		return n
	}
	hour, minute, second = number(1), number(2), number(3)
	beside := strings.ToLower(text[:span[0]] + " " + text[span[1]:])
	beside = strings.NewReplacer("a.m.", "am", "p.m.", "pm", "π.μ.", "πμ", "μ.μ.", "μμ").Replace(beside)
	for word := range strings.FieldsSeq(beside) {
		word = strings.Trim(word, "().")
		switch found := offset.FindStringSubmatch(word); {
		case word == "" || word == "uhr":
		case morning[word] || afternoon[word]:
			if hour < 1 || hour > 12 {
				return zone, 0, 0, 0, false
			}
			hour %= 12
			if afternoon[word] {
				hour += 12
			}
		case found != nil:
			hours, _ := strconv.Atoi(found[2])
			minutes, _ := strconv.Atoi(found[3])
			east := hours*60 + minutes
			if found[1] != "+" {
				east = -east
			}
			if hours > 14 || minutes > 59 {
				return zone, 0, 0, 0, false
			}
			zone = time.FixedZone("", east*60)
		default:
			east, known := zones[word]
			if !known {
				return zone, 0, 0, 0, false
			}
			zone = time.FixedZone("", east*60)
		}
	}
	return zone, hour, minute, second, true
}

// bounded is an instant that facts may have.
func bounded(at time.Time, wrong error) (time.Time, error) {
	if at.Year() < 1971 || at.Year() > 2100 {
		return time.Time{}, wrong
	}
	return at.UTC().Truncate(time.Millisecond), nil
}
