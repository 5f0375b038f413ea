package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cairn/metrics"
	"cairn/metrics/words"
)

// few is how many lines stand under one heading.
const few = 3

// moved finds the number that moved most against what is usual, of those that stand out of the noise, and what is behind
// it. nil where none does.
func (c *composer) moved() *Moved {
	var best *answers
	most, up := 0.0, false
	for i, a := range c.numbers {
		if words.Rare(a.def) || a.def.ID == "adoption_rate" {
			continue
		}
		res, ok := c.against(a)
		if !ok || words.HasFlag(res, metrics.FlagLowN) || words.TooFew(a.def, res.N) || words.TooFew(a.def, res.Previous.N) || len(res.Previous.Flags) > 0 {
			continue
		}
		now, ok := res.Value.(float64)
		before, ok2 := res.Previous.Value.(float64)
		if !ok || !ok2 || !words.StandsOut(a.def, res, now, before) {
			continue
		}
		if by := math.Abs(math.Log((now + 1e-9) / (before + 1e-9))); by > most {
			best, most, up = &c.numbers[i], by, now > before
		}
	}
	if best == nil {
		return nil
	}
	now, before := words.Value(best.week.Value, best.def.Unit), words.Value(best.before.Value, best.def.Unit)
	verb := "went down"
	if up {
		verb = "went up"
	}
	m := &Moved{
		metric: best.def.ID,
		Text:   fmt.Sprintf("%s %s: %s, where the %d weeks before had %s.", best.def.Title, verb, now, usual, before),
		URL:    c.link("/metrics/"+best.def.ID, c.week, "team", c.scope.Team),
	}
	switch best.def.ID {
	case "lead_time":
		if stage := words.MoveOfStage(c.stages, up); stage != "" {
			m.Why = append(m.Why, Line{Text: words.Upper(stage) + " in the median, against the week before."})
		}
		if up {
			m.Why = append(m.Why, c.slowest()...)
		}
	case "deployments_per_week":
		m.Why = c.shippers(up)
	default:
		m.Why = c.failed()
	}
	return m
}

// slowest are the changes with the longest lead times.
func (c *composer) slowest() []Line {
	var list []metrics.ChangeRecord
	for _, ch := range c.changes.Changes {
		if ch.LeadTimeHours != nil && ch.Excluded == "" && !ch.Bot {
			list = append(list, ch)
		}
	}
	slices.SortStableFunc(list, func(a, b metrics.ChangeRecord) int { return cmp.Compare(*b.LeadTimeHours, *a.LeadTimeHours) })
	var lines []Line
	for _, ch := range list[:min(few, len(list))] {
		lines = append(lines, Line{Name: changeName(ch), Text: fmt.Sprintf("of %s took %s", ch.Service, words.Duration(*ch.LeadTimeHours)), URL: c.deployment(ch.Service, ch.Deployment)})
	}
	return lines
}

func changeName(ch metrics.ChangeRecord) string {
	if ch.Kind == "commit" {
		return words.Short(ch.ID)
	}
	return "#" + strings.TrimPrefix(ch.ID, "#")
}

// shippers are the services whose number of deployments differs most from the week before, in a direction.
func (c *composer) shippers(up bool) []Line {
	type service struct {
		id          string
		now, before float64
	}
	var list []service
	for _, g := range c.byService.Groups {
		s := service{id: g.Key}
		s.now, _ = g.Value.(float64)
		if g.Previous != nil {
			s.before, _ = g.Previous.Value.(float64)
		}
		if s.now != s.before && (s.now > s.before) == up {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b service) int {
		return cmp.Compare(math.Abs(b.now-b.before), math.Abs(a.now-a.before))
	})
	var lines []Line
	for _, s := range list[:min(few, len(list))] {
		lines = append(lines, Line{Name: s.id, Text: fmt.Sprintf("was deployed %s, the week before %s", times(s.now), times(s.before)), URL: c.service(s.id)})
	}
	return lines
}

func times(n float64) string {
	switch n = math.Round(n); n {
	case 0:
		return "never"
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return words.Grouped(int64(n)) + " times"
}

// failed are the deployments of the week that failed.
func (c *composer) failed() []Line {
	var lines []Line
	for _, d := range c.failures.Deployments {
		if d.DeployedAt.Before(c.week.From) || len(lines) == few {
			continue
		}
		text := "of " + d.Service + " failed"
		if !c.open(d) {
			text += " and was restored after " + words.Duration(d.RestoredAt.Sub(d.DeployedAt).Hours())
		} else {
			text += " and is open"
		}
		lines = append(lines, Line{Name: cmp.Or(d.Version, words.Short(d.ID)), Text: text, URL: c.deployment(d.Service, d.ID)})
	}
	return lines
}

func (c *composer) incidentLines() []Line {
	var lines []Line
	for _, i := range c.incidents.Incidents[:min(few, len(c.incidents.Incidents))] {
		text := "open"
		if i.HoursToRestore != nil && i.RestoredAt.Before(c.week.To) {
			text = "restored after " + words.Duration(*i.HoursToRestore)
		}
		line := Line{Name: cmp.Or(i.Title, i.ID), Text: text}
		if i.Service != "" {
			line.Text, line.URL = "("+i.Service+", "+text+")", c.service(i.Service)
			if i.Deployment != "" {
				line.URL = c.deployment(i.Service, i.Deployment)
			}
		}
		lines = append(lines, line)
	}
	if more := len(c.incidents.Incidents) - len(lines); more > 0 {
		lines = append(lines, Line{Text: fmt.Sprintf("and %s more", words.Grouped(int64(more))), URL: c.link("/metrics/time_to_restore", c.week, "team", c.scope.Team)})
	}
	return lines
}

// waitingLines are what has been begun and is not over: failures, changes, services.
func (c *composer) waitingLines() []Line {
	var lines []Line
	asOf := c.week.To
	n := 0
	for _, d := range slices.Backward(c.failures.Deployments) {
		if c.open(d) && n < few {
			n++
			lines = append(lines, Line{Name: cmp.Or(d.Version, words.Short(d.ID)), Text: fmt.Sprintf("of %s failed and has been open for %s", d.Service, age(c.rep.AsOf, d.DeployedAt)), URL: c.deployment(d.Service, d.ID)})
		}
	}
	if text := words.Waiting(c.waitingN); text != "" {
		lines = append(lines, Line{Text: text, URL: c.link("/metrics/waiting_changes", c.week, "team", c.scope.Team)})
	}
	changes := c.waiting.Changes
	if c.waiting.Next == "" { // else the oldest are not among them
		for _, ch := range slices.Backward(changes[max(0, len(changes)-few):]) {
			if ch.MergedAt != nil {
				lines = append(lines, Line{Name: changeName(ch), Text: fmt.Sprintf("of %s has waited for %s", ch.Service, age(asOf, *ch.MergedAt)), URL: c.service(ch.Service)})
			}
		}
	}
	n = 0
	for _, s := range c.services.Services {
		if (s.FirstDeployedAt == nil || !s.FirstDeployedAt.Before(c.week.To)) && s.RetiredAt == nil && s.CreatedAt != nil && s.CreatedAt.Before(c.week.To) && n < few {
			n++
			lines = append(lines, Line{Name: cmp.Or(s.Name, s.ID), Text: fmt.Sprintf("was created %s ago and has not been deployed", age(asOf, *s.CreatedAt)), URL: c.service(s.ID)})
		}
	}
	return lines
}

// golden is how many of n services a share is.
func golden(share float64, n int64) int64 { return int64(math.Round(share * float64(n))) }

// open says whether a failure is open now, as the engine counts them.
func (c *composer) open(d metrics.DeploymentRecord) bool { return d.RestoredAt == nil }

func age(now, then time.Time) string { return words.Duration(max(0, now.Sub(then).Hours())) }

// news are what changed in adoption and satisfaction.
func (c *composer) news() []Line {
	var lines []Line
	for i, name := range c.deps.Engine.Capabilities() {
		res := c.adoption[i]
		now, ok := res.Value.(float64)
		if !ok || res.Previous == nil {
			continue
		}
		before, ok := res.Previous.Value.(float64)
		size, _ := words.Sample(res.N)
		sizeBefore, _ := words.Sample(res.Previous.N)
		if a, b := golden(now, size), golden(before, sizeBefore); ok && a != b {
			lines = append(lines, Line{Name: name, Text: fmt.Sprintf("is on the golden path in %d of %s, the week before in %d of %d", a, words.Counted(size, "service"), b, sizeBefore), URL: c.link("/metrics/adoption_rate", c.week, "team", c.scope.Team)})
		}
	}
	if v, ok := c.survey.Value.(float64); ok {
		size, _ := words.Sample(c.survey.N)
		lines = append(lines, Line{Name: "Satisfaction", Text: fmt.Sprintf("was asked for this week: %s are satisfied (n = %s)", words.Value(v, c.survey.Unit), words.Grouped(size)), URL: c.link("/metrics/csat", c.week, "team", c.scope.Team)})
	}
	return lines
}

// Limits above which something is worth a suggestion.
const (
	stuckFailure = 48 * time.Hour
	stuckChange  = 14 * 24 * time.Hour
	longStage    = 24.0 // hours
	mostOf       = 0.5  // of the stages together
)

// suggestion is the one thing worth doing, or nothing. The rules in their order: a failure that is open for more than two
// days; a stage of the lead time that takes half of it or more and longer than a day, of at least five changes; merged
// changes that have waited for more than two weeks.
func (c *composer) suggestion() string {
	for _, d := range slices.Backward(c.failures.Deployments) {
		if c.open(d) && c.rep.AsOf.Sub(d.DeployedAt) > stuckFailure {
			return fmt.Sprintf("Close the failure of %s, %s: it has been open for %s. If it is over, tell cairn when: its incident has no end.", d.Service, cmp.Or(d.Version, words.Short(d.ID)), age(c.rep.AsOf, d.DeployedAt))
		}
	}
	total, most, stage, n := 0.0, 0.0, "", int64(0)
	for i, res := range c.stages {
		v, ok := res.Value.(float64)
		if !ok {
			continue
		}
		total += v
		if v > most {
			most, stage = v, metrics.Stages()[i]
			n, _ = words.Sample(res.N)
		}
	}
	if n >= 5 && most >= longStage && most >= mostOf*total {
		return fmt.Sprintf("Most of the lead time goes into %s: %s in the median. %s", words.Stage(stage), words.Duration(most), advice(stage))
	}
	waiting := c.waiting.Changes
	if len(waiting) > 0 && c.waiting.Next == "" {
		if ch := waiting[len(waiting)-1]; ch.MergedAt != nil && c.week.To.Sub(*ch.MergedAt) > stuckChange {
			return fmt.Sprintf("Deploy %s, or take back what is not wanted: %s was merged %s ago and is not live.", ch.Service, changeName(ch), age(c.week.To, *ch.MergedAt))
		}
	}
	return ""
}

func advice(stage string) string {
	switch stage {
	case "coding":
		return "Smaller changes are ready sooner."
	case "pickup":
		return "Agree on who looks at a new change, and by when."
	case "review":
		return "Smaller changes are reviewed sooner."
	case "wait_to_deploy":
		return "Deploying each change when it is merged would save most of it."
	}
	return "The pipeline is what to shorten."
}
