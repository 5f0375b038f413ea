package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"cairn/internal/event"
)

// Facts writes a case's history in the vocabulary of intake. Rows that are told later than the case's as_of are left
// out; where the case says that the last row wins, the telling times say so.
func Facts(c Case) (*event.Batch, error) {
	t := translator{c: c, b: &event.Batch{}}
	t.code()
	t.people()
	t.adoption()
	for _, step := range []func() error{t.deployments, t.surveys, t.slos} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("case %s: %w", c.ID, err)
		}
	}
	return t.b, nil
}

type translator struct {
	c Case
	b *event.Batch
}

// telling gives the n-th row of a list a telling time, so that later rows win.
func telling(n int) event.Telling {
	return event.Telling{Source: "case", UpdatedAt: time.UnixMilli(1_000_000_000_000 + int64(n)).UTC()}
}

func (t *translator) code() {
	e := t.c.Events
	for n, r := range e.Repos {
		t.b.Append(&event.Repository{Telling: telling(n), ID: r.ID, DeletedAt: r.DeletedAt})
	}
	for n, c := range e.Commits {
		t.b.Append(&event.Commit{
			Telling: telling(n), Repository: c.Repo, SHA: c.SHA, Parents: c.Parents, Author: c.Author, AuthoredAt: c.AuthorTime,
			CommittedAt: c.CommitTime, Paths: c.Paths, CherryPickedFrom: c.CherryPickedFrom, Reverts: c.Reverts,
		})
	}
	for n, p := range e.PullRequests {
		t.b.Append(&event.ChangeRequest{
			Telling: telling(n), Repository: p.Repo, ID: p.ID, Author: p.Author, CreatedAt: p.CreatedAt, ReadyAt: p.ReadyAt,
			FirstReviewAt: p.FirstReviewAt, MergedAt: p.MergedAt, MergeMethod: p.MergeMethod, Commits: p.Commits, Landed: p.Landed,
		})
	}
	for n, s := range e.Services {
		service := &event.Service{
			Telling: telling(n), ID: s.ID, Name: s.Name, Aliases: s.Aliases, Lifecycle: s.Lifecycle, CreatedAt: s.CreatedAt,
			IdeaAt: s.IdeaAt, RetiredAt: s.RetiredAt, CreatedVia: createdVia(s.CreatedVia),
		}
		for _, r := range s.Repos {
			service.Repositories = append(service.Repositories, event.ServiceRepository{Repository: r.Repo, Paths: r.Paths})
		}
		t.b.Append(service)
	}
	for n, i := range e.Incidents {
		t.b.Append(&event.Incident{
			Telling: telling(n), ID: i.ID, Service: i.Service, StartedAt: i.StartedAt, RestoredAt: i.RestoredAt, ResolvedAt: i.ResolvedAt,
			Cause: i.Cause, CausedByDeployment: i.CausedByDeployment,
		})
	}
}

func createdVia(text string) string {
	switch text {
	case "", "manual":
		return text
	case "golden_template":
		return "golden_path"
	}
	return "other"
}

func (t *translator) people() {
	e := t.c.Events
	for n, o := range e.Ownership {
		t.b.Append(&event.Ownership{Telling: telling(n), Service: o.Service, Team: o.Team, From: o.From, To: o.To})
	}
	for n, x := range e.Teams {
		t.b.Append(&event.Team{Telling: telling(n), ID: x.ID, Name: x.Name, Parent: x.Parent})
	}
	for n, p := range e.People {
		t.b.Append(&event.Person{Telling: telling(n), ID: p.ID, Name: p.Name, Bot: p.Bot, FirstDay: p.FirstDay, Team: p.Team})
	}
}

func (t *translator) adoption() {
	for n, s := range t.c.Events.AdoptionSignals {
		t.b.Append(&event.CapabilityUse{Telling: telling(n), Service: s.Service, Capability: s.Capability, State: s.State, ObservedAt: s.ObservedAt})
	}
	for n, x := range t.c.Events.AdoptionExemptions {
		t.b.Append(&event.CapabilityExemption{
			Telling: telling(n), Service: x.Service, Capability: x.Capability, Exemption: x.Type, ApprovedAt: x.ApprovedAt, ExpiresAt: x.ExpiresAt,
		})
	}
}

func (t *translator) deployments() error {
	type row struct {
		Deployment
		n int
	}
	var rows []row
	for n, d := range t.c.Events.Deployments {
		if !d.UpdatedAt.After(t.c.AsOf) {
			rows = append(rows, row{d, n})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	for n, d := range rows {
		status, err := status(d.Status)
		if err != nil {
			return fmt.Errorf("events.deployments[%d]: %w", d.n, err)
		}
		if (status == "succeeded" || status == "failed") && d.FinishedAt.IsZero() {
			status = "in_progress"
		}
		x := &event.Deployment{
			Telling: telling(n), Service: d.Service, ID: d.ID, Environment: d.Environment, Target: d.Target, Status: status,
			StartedAt: d.StartedAt, FinishedAt: d.FinishedAt, Rollback: d.IsRollback, Hotfix: d.IsHotfix, Unplanned: d.Unplanned,
			Remediates: d.Remediates, RemediatesIncidents: d.RemediatesIncidents, Way: way(d.Pipeline),
		}
		for _, repo := range slices.Sorted(keys(d.Revisions)) {
			x.Revisions = append(x.Revisions, event.Revision{Repository: repo, SHA: d.Revisions[repo]})
		}
		t.b.Append(x)
	}
	return nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func status(text string) (string, error) {
	switch text {
	case "pending", "in_progress", "succeeded", "failed", "cancelled", "skipped":
		return text, nil
	case "queued", "created", "waiting":
		return "pending", nil
	case "running":
		return "in_progress", nil
	case "success":
		return "succeeded", nil
	case "failure", "error":
		return "failed", nil
	case "canceled", "aborted":
		return "cancelled", nil
	}
	return "", fmt.Errorf("status is %q", text)
}

func way(pipeline string) string {
	switch pipeline {
	case "golden":
		return "golden_path"
	case "":
		return ""
	}
	return "own"
}

func (t *translator) surveys() error {
	for n, s := range t.c.Events.Surveys {
		survey := &event.Survey{Telling: telling(n), ID: s.ID, OpensAt: s.OpensAt, ClosesAt: s.ClosesAt}
		for _, id := range slices.Sorted(keys(s.Questions)) {
			survey.Questions = append(survey.Questions, event.SurveyQuestion{ID: id, Type: s.Questions[id]})
		}
		for _, g := range s.Groups {
			survey.Groups = append(survey.Groups, event.SurveyGroup{ID: g.ID, Parent: g.Parent})
		}
		t.b.Append(survey)
		// The first invitation that was delivered counts, so it is told last.
		for i, inv := range slices.Backward(s.Invites) {
			at := len(s.Invites) - i
			if !inv.Bounced {
				at += len(s.Invites)
			}
			t.b.Append(&event.SurveyInvitation{Telling: telling(at), Survey: s.ID, Respondent: inv.Respondent, Group: inv.Group, Bounced: inv.Bounced})
		}
		for i, r := range s.Responses {
			response := &event.SurveyResponse{Telling: telling(i), Survey: s.ID, Respondent: r.Respondent, SubmittedAt: r.SubmittedAt}
			for _, question := range slices.Sorted(keys(r.Answers)) {
				a, err := answer(question, r.Answers[question], r.Severity)
				if err != nil {
					return fmt.Errorf("events.surveys[%d].responses[%d]: %w", n, i, err)
				}
				response.Answers = append(response.Answers, a)
			}
			t.b.Append(response)
		}
	}
	return nil
}

func answer(question string, value any, severity map[string]float64) (event.SurveyAnswer, error) {
	a := event.SurveyAnswer{Question: question}
	switch v := value.(type) {
	case nil:
	case string:
		a.Text = v
	case float64:
		score := int64(v)
		if float64(score) != v {
			return a, fmt.Errorf("answer to %s is %v, not a whole number", question, v)
		}
		a.Score = &score
	case []any:
		a.Options = []string{}
		for _, o := range v {
			name, ok := o.(string)
			if !ok {
				return a, fmt.Errorf("answer to %s has the option %v, not a text", question, o)
			}
			a.Options = append(a.Options, name)
		}
		a.Severity = map[string]int64{}
		for name, s := range severity {
			if slices.Contains(a.Options, name) {
				a.Severity[name] = int64(math.Round(s))
			}
		}
	default:
		return a, fmt.Errorf("answer to %s is %v", question, value)
	}
	return a, nil
}

// slos that have no id are told apart by their place. They are measured at the latest start of a window that the case asks about, so that the measurement lies in each.
func (t *translator) slos() error {
	var at time.Time
	for _, x := range t.c.Expected {
		if from, _, err := x.Window.In(x.TimeZone); err == nil && from.After(at) && !from.After(t.c.AsOf) {
			at = from
		}
	}
	if at.IsZero() {
		at = t.c.AsOf
	}
	for n, s := range t.c.Events.SLOs {
		target, err := json.Number(s.Target).Float64()
		if err != nil {
			return fmt.Errorf("events.slos[%d]: target %s: %w", n, s.Target, err)
		}
		t.b.Append(&event.SLO{Telling: telling(n), ID: cmp.Or(s.ID, fmt.Sprintf("%s %d", s.Service, n+1)), MeasuredAt: at, Service: s.Service, Target: target, Good: s.Good, Total: s.Total})
	}
	return nil
}
