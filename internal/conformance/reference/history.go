package reference

import (
	"slices"
	"strings"
	"time"

	"cairn/internal/conformance"
)

// history is what is known at as_of, and everything derived from it.
type history struct {
	conformance.Case
	settings conformance.Settings
	asOf     time.Time

	commits     map[key]conformance.Commit
	pulls       []conformance.PullRequest // the merged ones
	services    []conformance.Service
	incidents   []conformance.Incident
	runs        map[string]*run // by id
	transitions []*transition   // of all services
	members     []*member       // P_CFR of all services
	samples     []sample        // lead times of all services
}

// key is a commit's identity.
type key struct{ repo, sha string }

func newHistory(c conformance.Case, settings conformance.Settings) *history {
	h := &history{Case: c, settings: settings, asOf: c.AsOf, commits: map[key]conformance.Commit{}, runs: map[string]*run{}}
	// Reading: commits are known whatever their times say, since a clock that runs ahead must not cut the graph.
	for _, commit := range c.Events.Commits {
		h.commits[key{commit.Repo, commit.SHA}] = commit
	}
	for _, p := range c.Events.PullRequests {
		p.MergedAt, p.FirstReviewAt, p.ReadyAt = h.known(p.MergedAt), h.known(p.FirstReviewAt), h.known(p.ReadyAt)
		if !p.MergedAt.IsZero() {
			h.pulls = append(h.pulls, p)
		}
	}
	slices.SortFunc(h.pulls, func(a, b conformance.PullRequest) int { // merged first, first
		return cmpOr(a.MergedAt.Compare(b.MergedAt), strings.Compare(a.ID, b.ID))
	})
	for _, s := range c.Events.Services {
		if s.CreatedAt.After(h.asOf) {
			continue
		}
		s.RetiredAt = h.known(s.RetiredAt)
		h.services = append(h.services, s)
	}
	for _, i := range c.Events.Incidents {
		if i.StartedAt.After(h.asOf) {
			continue
		}
		i.Service = h.serviceID(i.Service)
		i.RestoredAt, i.ResolvedAt = h.known(i.RestoredAt), h.known(i.ResolvedAt)
		h.incidents = append(h.incidents, i)
	}
	h.readRuns()
	for _, s := range h.services {
		h.deploy(s)
	}
	h.judge()
	return h
}

// known forgets an instant after as_of (§0).
func (h *history) known(t time.Time) time.Time {
	if t.After(h.asOf) {
		return time.Time{}
	}
	return t
}

// serviceID resolves an alias (§1).
func (h *history) serviceID(name string) string {
	for _, s := range h.Events.Services {
		if s.ID == name {
			return name
		}
	}
	for _, s := range h.Events.Services {
		if slices.Contains(s.Aliases, name) {
			return s.ID
		}
	}
	return name
}

// owner is the team that owns the service at t, or "" (§1). Reading: of overlapping spans the one that began last.
func (h *history) owner(service string, t time.Time) string {
	team, began := "", time.Time{}
	for _, o := range h.Events.Ownership {
		if h.serviceID(o.Service) == service && (span{o.From, o.To}).has(t) && !o.From.Before(began) {
			team, began = o.Team, o.From
		}
	}
	return team
}

// owned lists the spans during which the service belongs to the scope.
func (q question) owned(service string) []span {
	if q.Scope.Team == "" {
		if q.Scope.Org || q.Scope.Service == service {
			return []span{{}}
		}
		return nil
	}
	var spans []span
	for _, o := range q.Events.Ownership {
		if q.serviceID(o.Service) == service && o.Team == q.Scope.Team {
			spans = append(spans, span{o.From, o.To})
		}
	}
	return spans
}

// firstRun is the first successful production run of the service, or nil.
func (h *history) firstRun(service string) *run {
	for _, r := range h.succeeded(service) {
		return r
	}
	return nil
}

// lives lists when the services of the scope were alive and in the scope: first production run..retired_at (§9).
// Reading: the life of a team or of the organisation is that of its services while it owns them.
func (q question) lives() []span {
	var lives []span
	for _, s := range q.services {
		first := q.firstRun(s.ID)
		if first == nil {
			continue
		}
		for _, owned := range q.owned(s.ID) {
			if alive, some := (span{first.finished, s.RetiredAt}).meet(owned); some {
				lives = append(lives, alive)
			}
		}
	}
	return lives
}

func (q question) aliveDuring(from, to time.Time) bool {
	for _, life := range q.lives() {
		if _, some := life.meet(span{from, to}); some {
			return true
		}
	}
	return false
}

// readRuns keeps one row per deployment id: the latest updated_at, then the last row, wins (§1).
func (h *history) readRuns() {
	rows := map[string]conformance.Deployment{}
	for _, d := range h.Events.Deployments {
		if d.UpdatedAt.After(h.asOf) {
			continue
		}
		if old, told := rows[d.ID]; !told || !d.UpdatedAt.Before(old.UpdatedAt) {
			rows[d.ID] = d
		}
	}
	for id, d := range rows {
		if d.FinishedAt.IsZero() || d.FinishedAt.After(h.asOf) || d.Environment != "production" {
			continue // §1 production only; a run that has not finished yet changes nothing
		}
		h.runs[id] = &run{Deployment: d, service: h.serviceID(d.Service), finished: d.FinishedAt}
	}
}

// succeeded lists the successful production runs of the service in (finished_at, id) order (§1).
func (h *history) succeeded(service string) []*run {
	var runs []*run
	for _, r := range h.runs {
		if r.service == service && r.Status == "succeeded" {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmpOr(a.finished.Compare(b.finished), strings.Compare(a.ID, b.ID))
	})
	return runs
}

func cmpOr(orders ...int) int {
	for _, order := range orders {
		if order != 0 {
			return order
		}
	}
	return 0
}
