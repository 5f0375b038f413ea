package event

import (
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// Validate says what is wrong with an event that did not come through a Decoder, in the same words; nil when nothing
// is. Instants may have any zone and precision.
func Validate(e Event) *Errors {
	p := vocabulary.byKind[e.Kind()]
	var list []Error
	report := func(pointer, value, expected string) {
		if len(list) < MaxErrors {
			list = append(list, Error{Type: p.kind, Field: pointer, Value: value, Expected: expected})
		}
	}
	validate(p, reflect.ValueOf(e).Elem(), "", report)
	if len(list) == 0 {
		crossCheck(e, report)
	}
	if len(list) == 0 {
		return nil
	}
	return &Errors{List: list}
}

// report receives one fault: where it is, the value there as JSON, and what was expected.
type report func(pointer, value, expected string)

func validate(p *plan, object reflect.Value, pointer string, report report) {
	for _, f := range p.fields {
		v := f.of(object)
		at := func() string { return pointer + "/" + f.name }
		if f.required && f.form != integer && absent(f, v) {
			report(at(), "", f.expected+": it is required")
			continue
		}
		switch f.form {
		case text:
			if s := v.String(); s != "" {
				if wrong := f.wrongText(s); wrong != "" {
					report(at(), quote(s), wrong)
				} else if !utf8.ValidString(s) {
					report(at(), quote(s), "text in UTF-8")
				}
			}
		case instant:
			if t := v.Addr().Interface().(*time.Time); !t.IsZero() && (t.UnixMilli() < 0 || t.UnixMilli() > latestInstant) {
				report(at(), string(appendInstant(nil, *t)), expectedInstant)
			}
		case integer:
			if n := v.Int(); n != 0 && !f.within(float64(n)) {
				report(at(), strconv.FormatInt(n, 10), f.expected)
			}
		case maybeInt:
			if !v.IsNil() && !f.within(float64(v.Elem().Int())) {
				report(at(), strconv.FormatInt(v.Elem().Int(), 10), f.expected)
			}
		case number:
			if n := v.Float(); !f.within(n) {
				report(at(), strconv.FormatFloat(n, 'g', -1, 64), f.expected)
			}
		case texts:
			list := *v.Addr().Interface().(*[]string)
			if len(list) > f.items {
				report(at(), "", f.expected)
			}
			for i, s := range list {
				if s == "" || longer(s, f.length) || !utf8.ValidString(s) {
					report(at()+"/"+strconv.Itoa(i), quote(s), f.expected)
				}
			}
		case objects:
			if v.Len() > f.items {
				report(at(), "", f.expected)
			}
			for i := range v.Len() {
				validate(f.object, v.Index(i), at()+"/"+strconv.Itoa(i), report)
			}
		case integersMap:
			for name, n := range *v.Addr().Interface().(*map[string]int64) {
				if name == "" || longer(name, f.length) || !utf8.ValidString(name) || !f.within(float64(n)) {
					report(at(), quote(name)+": "+strconv.FormatInt(n, 10), f.expected)
				}
			}
		}
	}
}

// absent says whether the field is left out of the event.
func absent(f *field, v reflect.Value) bool {
	switch f.form {
	case text:
		return v.Len() == 0
	case instant:
		return v.Addr().Interface().(*time.Time).IsZero()
	case maybeBool, maybeInt, texts, objects, integersMap:
		return v.IsNil()
	}
	return v.IsZero()
}

// crossCheck compares the fields of an event whose fields are right each by itself. It refuses only what cannot be
// true or would make a number wrong; clocks that disagree are not refused.
func crossCheck(e Event, report report) {
	switch e := e.(type) {
	case *Commit:
		for i, parent := range e.Parents {
			if parent == e.SHA {
				report("/parents/"+strconv.Itoa(i), quote(parent), "a commit other than itself")
			}
		}
	case *PipelineRun:
		order(report, "/finished_at", e.FinishedAt, "started_at", e.StartedAt)
	case *Deployment:
		e.check(report)
	case *Ownership:
		interval(report, e.From, e.To)
	case *Membership:
		interval(report, e.From, e.To)
	case *Team:
		if e.Parent == e.ID {
			report("/parent", quote(e.Parent), "a team other than itself")
		}
	case *CapabilityExemption:
		order(report, "/expires_at", e.ExpiresAt, "approved_at", e.ApprovedAt)
	case *Survey:
		e.check(report)
	case *SurveyResponse:
		for i, a := range e.Answers {
			for _, b := range e.Answers[:i] {
				if a.Question == b.Question {
					report("/answers/"+strconv.Itoa(i)+"/question", quote(a.Question), "each question once")
				}
			}
		}
	case *SLO:
		if e.Good > e.Total {
			report("/good", strconv.FormatInt(e.Good, 10), "at most total, which is "+strconv.FormatInt(e.Total, 10))
		}
		// The store keeps twelve digits: a target that they cannot tell from 0 or 1 would become another one.
		if kept := math.Round(e.Target * 1e12); kept == 0 || kept == 1e12 && e.Target != 1 {
			report("/target", strconv.FormatFloat(e.Target, 'g', -1, 64), "a share that 12 digits after the point can tell from 0 and 1")
		}
	}
}

func (e *Deployment) check(report report) {
	if e.FinishedAt.IsZero() && (e.Status == "succeeded" || e.Status == "failed") {
		report("/finished_at", "", expectedInstant+": a deployment that "+e.Status+" is finished")
	}
	order(report, "/finished_at", e.FinishedAt, "started_at", e.StartedAt)
	for i, r := range e.Revisions {
		for _, other := range e.Revisions[:i] {
			if r.Repository == other.Repository && (r.Role == "config") == (other.Role == "config") {
				report("/revisions/"+strconv.Itoa(i)+"/repository", quote(r.Repository), "each repository once: one deployment carries one revision of it")
			}
		}
	}
	for i, id := range e.Remediates {
		if id == e.ID {
			report("/remediates/"+strconv.Itoa(i), quote(id), "a deployment other than itself")
		}
	}
}

func (e *Survey) check(report report) {
	if !e.ClosesAt.After(e.OpensAt) {
		report("/closes_at", show(e.ClosesAt), "an instant after opens_at, which is "+show(e.OpensAt))
	}
	for i, q := range e.Questions {
		for _, other := range e.Questions[:i] {
			if q.ID == other.ID {
				report("/questions/"+strconv.Itoa(i)+"/id", quote(q.ID), "each question once")
			}
		}
	}
	parents := make(map[string]string, len(e.Groups))
	for i, g := range e.Groups {
		if _, twice := parents[g.ID]; twice {
			report("/groups/"+strconv.Itoa(i)+"/id", quote(g.ID), "each group once")
		}
		parents[g.ID] = g.Parent
	}
	under := make(map[string]int, len(parents)) // by group: the walk that came past it
	for i, g := range e.Groups {
		walk := i + 1
		for id := g.ID; id != "" && under[id] == 0; id = parents[id] {
			under[id] = walk
			if under[parents[id]] == walk {
				report("/groups/"+strconv.Itoa(i)+"/parent", quote(g.Parent), "a tree: above this group is a group that is above itself")
			}
		}
	}
}

func order(report report, pointer string, later time.Time, name string, earlier time.Time) {
	if !later.IsZero() && !earlier.IsZero() && later.Before(earlier) {
		report(pointer, show(later), "an instant not before "+name+", which is "+show(earlier))
	}
}

func interval(report report, from, to time.Time) {
	if !to.IsZero() && !from.IsZero() && !to.After(from) {
		report("/to", show(to), "an instant after from, which is "+show(from))
	}
}

func show(t time.Time) string { return string(appendInstant(nil, t)) }

func quote(s string) string { return shorten(appendText(nil, s)) }
