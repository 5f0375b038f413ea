package github

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

const issuesAtOnce = 100

// incidentsPosition is how far the issues were read that have a label which makes them incidents: per label, since GitHub
// finds issues that have all of some labels, not any. Issues are read in the order of their changes, the oldest first,
// each page from the instant where the last one ended: so nothing is missed when issues change meanwhile.
type incidentsPosition struct {
	Version int                      `json:"v"`
	Labels  map[string]labelPosition `json:"labels,omitempty"`
	Done    int64                    `json:"done,omitempty"`
}

type labelPosition struct {
	Since int64 `json:"since,omitempty"` // latest change that was told, seconds
	Page  int   `json:"page,omitempty"`  // where more issues changed in that second than fit on a page
	// Told are the issues of that second.
	Told     []int `json:"told,omitempty"`
	Complete bool  `json:"complete,omitempty"` // its history is told
}

func readIncidentsTurn(ctx context.Context, t *Turn) error {
	p := incidentsPosition{Version: 1}
	if t.position != "" {
		if err := readPosition(t.position, t.stream.Name, &p); err != nil {
			return err
		}
	}
	labels, err := t.incidentLabels(ctx)
	if err != nil {
		return err
	}
	for _, label := range labels {
		for {
			if t.spent() {
				t.report.More = true
				return nil
			}
			more, err := t.readIncidents(ctx, &p, label)
			if errors.Is(err, errSwitchedOff) {
				t.report.Complete = true
				return nil
			}
			if err != nil {
				return err
			}
			t.report.Done, t.report.Total = p.Done, p.Done
			if !more {
				break
			}
		}
	}
	t.position = position(p)
	t.report.Complete = true
	return nil
}

// incidentLabels are the labels of the repository that make an issue an incident.
func (t *Turn) incidentLabels(ctx context.Context) ([]string, error) {
	var labels []string
	for page := 1; page != 0; {
		var list []*github.Label
		next, err := t.get(ctx, "the labels of "+t.repo.name, t.path("labels"), values("per_page", "100", "page", strconv.Itoa(page)), &list)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if t.c.rules.Incident(rules.Issue{Repository: t.repo.fact, Labels: []string{l.GetName()}}).Incident {
				labels = append(labels, l.GetName())
			}
		}
		page = next.next
	}
	slices.Sort(labels)
	return labels, nil
}

// readIncidents reads a page of the issues with a label, and says whether there are more.
func (t *Turn) readIncidents(ctx context.Context, p *incidentsPosition, label string) (more bool, err error) {
	at := p.Labels[label]
	query := values("labels", label, "state", "all", "sort", "updated", "direction", "asc", "per_page", strconv.Itoa(issuesAtOnce),
		"page", strconv.Itoa(max(at.Page, 1)))
	since := max(at.Since, t.c.cfg.Since.Unix(), 0)
	if since > 0 {
		query.Set("since", time.Unix(since, 0).UTC().Format(time.RFC3339))
	}
	var list []*github.Issue
	next, err := t.get(ctx, t.what(), t.path("issues"), query, &list)
	if err != nil {
		return false, err
	}
	latest, told := at.Since, slices.Clone(at.Told)
	for _, issue := range list {
		changed := issue.GetUpdatedAt().Unix()
		if changed == at.Since && slices.Contains(at.Told, issue.GetNumber()) {
			continue
		}
		fact, verdict := t.c.t.incident(t.repo.fact, issue)
		if !issue.IsPullRequest() {
			t.applied(verdict.Rule, t.repo.fact+"#"+strconv.Itoa(issue.GetNumber()))
		}
		if fact != nil {
			if err := t.tell(fact); err != nil {
				return false, err
			}
			p.Done++
		}
		if changed > latest {
			latest, told = changed, nil
		}
		if changed == latest {
			told = append(told, issue.GetNumber())
		}
	}
	more = next.next != 0
	switch {
	case !more:
		at.Page, at.Complete = 0, true
	case latest == at.Since:
		at.Page = max(at.Page, 1) + 1
	default:
		at.Page = 0
	}
	at.Since, at.Told = latest, told
	if p.Labels == nil {
		p.Labels = map[string]labelPosition{}
	}
	p.Labels[label] = at
	t.position = position(p)
	return more, nil
}

// refreshIncident tells one issue again.
func refreshIncident(ctx context.Context, t *Turn, subject string) error {
	subject = strings.TrimPrefix(subject, t.repo.fact+"#")
	if _, err := strconv.Atoi(subject); err != nil {
		return fault.New(fault.Invalid, "%s: %q is no number of an issue", t.stream.Name, subject)
	}
	var issue github.Issue
	if _, err := t.get(ctx, "issue "+subject+" of "+t.repo.name, t.path("issues/"+subject), nil, &issue); err != nil {
		return err
	}
	fact, verdict := t.c.t.incident(t.repo.fact, &issue)
	t.applied(verdict.Rule, t.repo.fact+"#"+subject)
	if fact == nil {
		return nil
	}
	return t.tell(fact)
}
