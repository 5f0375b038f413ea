package words

import (
	"fmt"
	"math"
	"strings"
	"time"

	"cairn/metrics"
)

// Span writes how long something lasts or how long ago it was, roughly.
func Span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(math.Round(d.Minutes())))
	case d < 36*time.Hour:
		return fmt.Sprintf("%d h", int(math.Round(d.Hours())))
	}
	return fmt.Sprintf("%s d", Grouped(int64(math.Round(d.Hours()/24))))
}

// Long is Span in whole words.
func Long(d time.Duration) string {
	number, unit, _ := strings.Cut(Span(d), " ")
	unit = map[string]string{"s": "second", "min": "minute", "h": "hour", "d": "day"}[unit]
	if number != "1" {
		unit += "s"
	}
	return number + " " + unit
}

// Ago writes how long before now an instant was. Clocks differ, so one a little later than now is now.
func Ago(at, now time.Time) string { return Span(max(0, now.Sub(at))) + " ago" }

// Later writes an instant that is to come, or was lately: the time alone where it is on the same day.
func Later(at, now time.Time, zone *time.Location) string {
	at, now = at.In(zone), now.In(zone)
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("2 Jan 15:04")
}

// Source writes the name of a source as people do.
func Source(name string) string {
	names := map[string]string{
		"": "a source without a name", "alertmanager": "Alertmanager", "argocd": "Argo CD", "backstage": "Backstage", "cdevents": "CDEvents", "circleci": "CircleCI", "flux": "Flux",
		"gitea": "Gitea", "github": "GitHub", "gitlab": "GitLab", "humanitec": "Humanitec", "incidentio": "incident.io", "jenkins": "Jenkins", "jira": "Jira", "kubernetes": "Kubernetes",
		"opsgenie": "Opsgenie", "pagerduty": "PagerDuty", "port": "Port", "servicenow": "ServiceNow", "survey": "Surveys", "terraform": "Terraform", "tickets": "Tickets", "typeform": "Typeform",
	}
	if said, known := names[name]; known {
		return said
	}
	return name
}

// Outcome says how the latest turn of a stream went.
func Outcome(outcome string) string {
	switch outcome {
	case "fresh":
		return "up to date"
	case "behind":
		return "history is left"
	case "limited":
		return "waits for the limit"
	case "denied":
		return "may not be read"
	case "gone":
		return "is gone"
	}
	return outcome
}

// SourceSentences say how a source is doing: first how fresh it is, then what of its history is told, and what fails.
func SourceSentences(s metrics.SourceRecord, now time.Time, zone *time.Location) []string {
	if s.Streams == 0 {
		said := Source(s.Name) + " is heard by its webhooks alone"
		if s.DeliveriesLatest != nil {
			said += "; the latest came " + Long(now.Sub(*s.DeliveriesLatest)) + " ago"
		}
		return []string{said + "."}
	}
	said := []string{news(s, now, zone)}
	for _, more := range []string{history(s, zone), limit(s, now, zone), failing(s)} {
		if more != "" {
			said = append(said, more)
		}
	}
	return said
}

// upToDate is how old news may be that count as the present.
const upToDate = 2 * time.Hour

func news(s metrics.SourceRecord, now time.Time, zone *time.Location) string {
	name := Source(s.Name)
	var whose string
	switch {
	case s.Subjects == 1:
		whose = "one repository"
	case s.Subjects > 1:
		whose = Grouped(s.Subjects) + " repositories"
	default:
		whose = Counted(s.Streams, "stream")
	}
	switch {
	case s.SucceededAt == nil:
		return name + " could not be read yet."
	case s.NewsUpTo == nil && readable(s) == 0:
		return fmt.Sprintf("%s cannot be read; the last that was heard of it is %s old.", name, Long(now.Sub(*s.SucceededAt)))
	case s.NewsUpTo == nil:
		return fmt.Sprintf("%s is being read for the first time: of %s some have not been told yet.", name, whose)
	}
	if age := now.Sub(*s.NewsUpTo); age <= upToDate {
		return fmt.Sprintf("%s is up to date: the news of %s was read within the last %s.", name, whose, Long(age))
	}
	return fmt.Sprintf("%s is behind: the news of %s is told up to %s.", name, whose, s.NewsUpTo.In(zone).Format("2 January 2006, 15:04"))
}

// readable is how many streams are neither gone nor denied.
func readable(s metrics.SourceRecord) int64 {
	return s.Streams - s.Outcomes["gone"] - s.Outcomes["denied"]
}

func history(s metrics.SourceRecord, zone *time.Location) string {
	if s.Complete {
		return "All of its history is told."
	}
	if readable(s) == 0 {
		return ""
	}
	said := "Of some of its history nothing is told yet"
	if s.HistoryBackTo != nil {
		said = "History is told back to " + s.HistoryBackTo.In(zone).Format("2 January 2006")
	}
	if s.SecondsLeft == nil {
		return said + "; nobody knows how long the rest takes."
	}
	about := "about"
	if s.StreamsUncounted > 0 {
		about = "at least"
	}
	return fmt.Sprintf("%s; the rest takes %s %s.", said, about, Long(time.Duration(*s.SecondsLeft)*time.Second))
}

func limit(s metrics.SourceRecord, now time.Time, zone *time.Location) string {
	if s.Outcomes["limited"] == 0 {
		return ""
	}
	var until *time.Time
	for _, b := range s.Budgets {
		if b.Remaining == 0 && b.ResetAt != nil && b.ResetAt.After(now) && (until == nil || b.ResetAt.After(*until)) {
			until = b.ResetAt
		}
	}
	if until == nil {
		return "Its limit of requests is reached."
	}
	return "Its limit of requests is reached until " + Later(*until, now, zone) + "."
}

func failing(s metrics.SourceRecord) string {
	n := s.Outcomes["denied"] + s.Outcomes["gone"] + s.Outcomes["failed"]
	if n == 0 {
		return ""
	}
	said := Counted(n, "stream")
	switch {
	case s.Failing == 1:
		said += " of one repository"
	case s.Failing > 1:
		said += fmt.Sprintf(" of %s repositories", Grouped(s.Failing))
	}
	return said + " cannot be read" + why(s) + "."
}

// why is the error, where all fail alike.
func why(s metrics.SourceRecord) string {
	if len(s.Problems) != 1 {
		return ""
	}
	return ": " + strings.TrimRight(Clipped(s.Error, 160), ".")
}

// Clipped is the beginning of a text in one line.
func Clipped(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		return strings.TrimSpace(string(r[:most])) + "…"
	}
	return text
}

// NoSource says what to do where nothing is read.
const NoSource = "No source is configured: cairn knows what it is told, and reads nothing by itself."

// Freshness says when each source was last read or heard, and how many streams fail: "github 2 min ago · 3 streams fail".
func Freshness(list []metrics.SourceFreshness, now time.Time) string {
	var parts []string
	var failing int64
	for _, f := range list {
		failing += f.Failing
		switch {
		case len(parts) == 5:
			parts = append(parts, fmt.Sprintf("%d more", len(list)-5))
		case len(parts) > 5:
		case f.Latest == nil:
			parts = append(parts, Clipped(f.Name, 40)+" never")
		default:
			parts = append(parts, Clipped(f.Name, 40)+" "+Ago(*f.Latest, now))
		}
	}
	switch {
	case failing == 1:
		parts = append(parts, "1 stream fails")
	case failing > 1:
		parts = append(parts, Counted(failing, "stream")+" fail")
	}
	return strings.Join(parts, " · ")
}

// Budget says what is left of an allowance. After it has begun anew nobody knows.
func Budget(b metrics.SourceBudget, now time.Time, zone *time.Location) string {
	switch {
	case b.ResetAt != nil && !b.ResetAt.After(now):
		return fmt.Sprintf("%s again since %s", Grouped(b.Limit), Later(*b.ResetAt, now, zone))
	case b.ResetAt != nil:
		return fmt.Sprintf("%s of %s until %s", Grouped(b.Remaining), Grouped(b.Limit), Later(*b.ResetAt, now, zone))
	}
	return fmt.Sprintf("%s of %s, %s", Grouped(b.Remaining), Grouped(b.Limit), Ago(b.AsOf, now))
}

// Again says when what failed is tried again.
func Again(next *time.Time, now time.Time, zone *time.Location) string {
	switch {
	case next == nil:
		return "not tried again"
	case next.After(now):
		return "tried again at " + Later(*next, now, zone)
	}
	return "due again since " + Later(*next, now, zone)
}

// Delivery says what became of a webhook.
func Delivery(outcome string) string {
	switch outcome {
	case "told":
		return "told facts"
	case "woken":
		return "had something read again"
	case "ignored":
		return "none of ours"
	case "unreadable":
		return "could not be read"
	case "duplicate":
		return "handled before"
	}
	return outcome
}
