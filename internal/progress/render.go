package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Columns that a bar needs to be worth drawing, and the most it takes; and columns kept for the words behind it, so
// that the bar does not change its length with every digit.
const (
	minBar = 10
	maxBar = 40
	words  = 46
)

// plain is the state as a line: "commits: 12,345 of 46,000 (26 %), 8,230/s".
func (s State) plain(elapsed time.Duration) string {
	var b strings.Builder
	b.WriteString(s.Stage + ": " + grouped(s.Done))
	if s.Total > 0 {
		fmt.Fprintf(&b, " of %s (%d %%)", grouped(max(s.Total, s.Done)), s.percent())
	}
	if rate := s.rate(elapsed); rate > 0 {
		b.WriteString(", " + grouped(rate) + "/s")
	}
	return b.String()
}

// summary is the last line of a stage: "commits: 46,000 in 5.6 s".
func (s State) summary(elapsed time.Duration) string {
	return s.Stage + ": " + grouped(s.Done) + " in " + duration(elapsed)
}

// bar is the state in at most width columns. What does not fit is left out, the least useful first: the bar, the time
// left, the rate, the total.
func (s State) bar(elapsed time.Duration, width int) string {
	if s.Total <= 0 {
		return fitted(width, s.plain(elapsed), s.Stage+": "+grouped(s.Done), s.Stage)
	}
	counts := fmt.Sprintf("%s of %s", grouped(s.Done), grouped(max(s.Total, s.Done)))
	percent := fmt.Sprintf("%d %%", s.percent())
	full := fmt.Sprintf("%s  %s", percent, counts)
	if rate := s.rate(elapsed); rate > 0 {
		full += "  " + grouped(rate) + "/s"
		if left := s.Total - s.Done; left > 0 {
			full += "  " + duration(time.Duration(float64(left)/float64(rate)*float64(time.Second))) + " left"
		}
	}
	// "commits [====>     ] 40 %  …"
	if room := width - len(s.Stage) - max(len(full), words) - 4; room >= minBar {
		cells := min(room, maxBar)
		filled := int(float64(cells) * s.share())
		drawn := strings.Repeat("=", filled)
		if filled < cells {
			drawn += ">" + strings.Repeat(" ", cells-filled-1)
		}
		return fmt.Sprintf("%s [%s] %s", s.Stage, drawn, full)
	}
	return fitted(width, s.Stage+" "+full, s.Stage+" "+percent+"  "+counts, s.Stage+" "+percent, percent)
}

// fitted returns the first text of at most width columns, or the beginning of the last one. Texts are ASCII.
func fitted(width int, texts ...string) string {
	for _, text := range texts {
		if len(text) <= width {
			return text
		}
	}
	return texts[len(texts)-1][:max(width, 0)]
}

func (s State) share() float64 {
	if s.Total <= 0 {
		return 0
	}
	return min(1, float64(s.Done)/float64(s.Total))
}

// percent rounds down: 100 is said when all is done.
func (s State) percent() int { return int(s.share() * 100) }

// rate is per second; 0 before it means anything.
func (s State) rate(elapsed time.Duration) int64 {
	if elapsed < 200*time.Millisecond {
		return 0
	}
	return int64(float64(s.Done) / elapsed.Seconds())
}

// grouped writes n with a comma between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// duration writes d to be read at a glance: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min.
func duration(d time.Duration) string {
	switch seconds := int64(d.Seconds() + 0.5); {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	default:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds%3600/60)
	}
}
