package demo

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
)

// delivery is what is live of a service and what waits.
type delivery struct {
	live, before version   // before is the last one known to be good
	broken       bool      // what is live fails
	pending      bool      // something landed that is not live
	lastLanded   string    // sha
	planned      time.Time // of the next deployment
	busy         time.Time // until when a deployment is under way
	held         bool      // nothing is deployed until a fix lands
	reached      int       // how many regions have what is live
	runs         int
	stagings     int
	versions     int
}

// version is what a deployment carries.
type version struct{ sha, name string }

// rollout is what is asked of a deployment.
type rollout struct {
	version    version
	rollback   bool
	hotfix     bool
	remediates []*event.Deployment
	incidents  []*incident
	targets    int    // reach only so many regions; 0: all
	target     string // the region of one run
	redeploy   bool
}

// timetable puts down the days on which a service may be released.
func (o *organisation) timetable(r *repository, s *service) {
	for date := o.from; date.Before(o.until); date = date.AddDate(0, 0, 1) {
		t := s.owner(date.Add(12 * time.Hour))
		if weekend(date) || t == nil || !s.alive(date) {
			continue
		}
		at := t.calendar.at(date, 10, 0).Add(s.draws.between(0, 100*time.Minute))
		r.agenda.put(at, func(at time.Time) {
			for _, weekday := range o.practice(s, at).trains {
				if t.calendar.local(at).Weekday() == weekday {
					o.deploy(r, s, at)
				}
			}
		})
		if s.draws.happens(0.012) {
			again := t.calendar.instant(s.draws, date)
			r.agenda.put(again, func(at time.Time) { o.again(r, s, at) })
		}
	}
}

// release plans the deployment of what has just been built, where a service's releases have no fixed days.
func (o *organisation) release(r *repository, s *service, built time.Time) {
	p, d, c := o.practice(s, built), &s.delivered, r.draws
	if len(p.trains) > 0 || s.firstRun.IsZero() {
		return
	}
	at := built.Add(c.minutes(4))
	if !p.trunk {
		if d.planned.After(built) {
			return // that one takes it along
		}
		at = s.owner(built).calendar.after(built, c.around(p.wait, 0.7))
	}
	d.planned = at
	r.agenda.put(at, func(at time.Time) { o.deploy(r, s, at) })
}

// deploy brings what landed to production, unless something speaks against it.
func (o *organisation) deploy(r *repository, s *service, at time.Time) {
	d, c := &s.delivered, r.draws
	if !d.pending || d.held || !o.deployable(s, at) {
		return
	}
	t := s.owner(at)
	local := t.calendar.local(at)
	postpone := func(at time.Time) { r.agenda.put(at, func(at time.Time) { o.deploy(r, s, at) }) }
	switch {
	case d.busy.After(at):
		postpone(d.busy.Add(2 * time.Minute))
		return
	case frozen(local) && !c.happens(0.05):
		postpone(t.calendar.after(t.calendar.thaw(at), c.around(3, 0.6)))
		return
	case local.Weekday() == time.Friday && local.Hour() >= 14 && s.way(at) != "golden_path" && c.happens(0.75):
		postpone(t.calendar.after(t.calendar.at(local.AddDate(0, 0, 3), 8, 0), c.around(1.5, 0.6)))
		return
	case c.happens(0.02):
		o.run(r, s, at, rollout{version: version{r.head(), o.nextVersion(s, false)}, target: s.region()}, "cancelled", at.Add(c.minutes(3)))
		postpone(at.Add(c.minutes(70)))
		return
	}
	if s.staging {
		passed, done := o.stage(r, s, at)
		if !passed {
			postpone(done.Add(c.minutes(90)))
			return
		}
		at = done.Add(c.minutes(6))
		if at.After(o.until) {
			return
		}
	}
	d.pending = false
	o.ship(r, s, at, rollout{version: version{r.head(), o.nextVersion(s, false)}})
}

// deployable tells whether a service may be deployed at all at an instant.
func (o *organisation) deployable(s *service, at time.Time) bool {
	if s.id == "reporting-api" && at.After(o.story.stalled) {
		return false
	}
	return s.alive(at) && !s.firstRun.IsZero() && !at.Before(s.firstRun)
}

// nextVersion numbers versions as people read them.
func (o *organisation) nextVersion(s *service, fix bool) string {
	if !fix {
		s.delivered.versions++
		return fmt.Sprintf("v2.%d.0", s.delivered.versions)
	}
	return fmt.Sprintf("v2.%d.%d", s.delivered.versions, 1+s.draws.IntN(3))
}

// stage deploys to staging first.
func (o *organisation) stage(r *repository, s *service, at time.Time) (passed bool, done time.Time) {
	s.delivered.stagings++
	f := &event.Deployment{
		Service: s.id, ID: fmt.Sprintf("%s-staging-%d", s.id, s.delivered.stagings), Attempt: 1, Environment: "staging",
		Status: "succeeded", CreatedAt: at, StartedAt: at.Add(20 * time.Second), FinishedAt: at.Add(r.draws.minutes(4)).Add(time.Minute),
		Revisions: []event.Revision{{Repository: r.id, SHA: r.head()}}, Way: s.way(at), Tool: o.tool(s, at), Actor: deployBot,
	}
	if r.draws.happens(0.05) {
		f.Status = "failed"
	}
	done = f.FinishedAt
	passed = f.Status == "succeeded"
	o.file(f)
	return passed, done
}

// file keeps a deployment for the telling, as far as it has come.
func (o *organisation) file(f *event.Deployment) {
	if f.StartedAt.After(o.until) {
		return
	}
	if f.FinishedAt.After(o.until) {
		f.Status, f.FinishedAt = "in_progress", time.Time{}
	}
	o.deployments = append(o.deployments, f)
}

func (o *organisation) tool(s *service, at time.Time) string {
	switch s.way(at) {
	case "golden_path":
		if s.team == "search" {
			return "tekton" // which tells of it in CDEvents
		}
		return oneOf(s.id, "argocd", "argocd", "flux", "humanitec")
	case "own":
		return o.ci(o.repository(s))
	}
	return "shell"
}

// oneOf is always the same for one service.
func oneOf(service string, tools ...string) string {
	h := fnv.New32a()
	h.Write([]byte(service))
	return tools[h.Sum32()%uint32(len(tools))]
}

// run makes one deployment run to one region.
func (o *organisation) run(r *repository, s *service, at time.Time, w rollout, status string, finished time.Time) *event.Deployment {
	d := &s.delivered
	d.runs++
	f := &event.Deployment{
		Service: s.id, ID: fmt.Sprintf("%s-%d", s.id, d.runs), Attempt: 1, Environment: "production", Tier: "production", Target: w.target,
		Status: status, CreatedAt: at, StartedAt: at.Add(r.draws.between(3*time.Second, 40*time.Second)), FinishedAt: finished,
		Revisions: []event.Revision{{Repository: r.id, SHA: w.version.sha}}, Version: w.version.name,
		Rollback: w.rollback, Hotfix: w.hotfix, Unplanned: w.hotfix || w.rollback, Way: s.way(at), Tool: o.tool(s, at), Actor: deployBot,
		URL: fmt.Sprintf("https://deploy.linden.example/%s/%d", s.id, d.runs),
	}
	if f.StartedAt.After(f.FinishedAt) {
		f.StartedAt = at
	}
	if f.Tool == "flux" { // it deploys an image, and knows of no commit but that of its configuration
		f.Images, f.Revisions = []string{"ghcr.io/linden/" + s.id + ":" + oneOf(s.id+" tags", w.version.sha[:12], w.version.name)}, nil
		o.built(f, r, w.version, at)
	}
	if f.Way != "golden_path" {
		if members := o.members(s.owner(at), at); len(members) > 0 {
			f.Actor = pick(r.draws, members).id
		}
	}
	if f.Way != "manual" && r.runs > 0 {
		f.PipelineRun = strconv.Itoa(r.runs)
	}
	for _, b := range w.remediates {
		f.Remediates = append(f.Remediates, b.ID)
	}
	for _, i := range w.incidents {
		i.fixedBy = append(i.fixedBy, f)
	}
	o.file(f)
	return f
}

// built tells once of which commit the image of a deployment was built, where its tag does not say.
func (o *organisation) built(f *event.Deployment, r *repository, v version, at time.Time) {
	id := f.Images[0]
	if strings.HasSuffix(id, v.sha[:12]) || o.images[id] || at.After(o.until) {
		return
	}
	o.images[id] = true
	o.facts.Artifacts = append(o.facts.Artifacts, event.Artifact{
		Telling: event.Telling{UpdatedAt: at}, ID: id, Version: v.name, Repository: r.id, SHA: v.sha, BuiltAt: at,
	})
}

// ship runs a deployment through all regions and has fate decide how it turns out.
func (o *organisation) ship(r *repository, s *service, at time.Time, w rollout) (first *event.Deployment) {
	d, c, p := &s.delivered, r.draws, o.practice(s, at)
	if d.busy.After(at) {
		at = d.busy.Add(time.Minute)
	}
	length := 7.0
	if s.way(at) == "golden_path" {
		length = 4
	}
	w.target = s.region()
	if !w.rollback && !w.redeploy && c.happens(0.035) {
		// The run fails, nothing changes, and another attempt succeeds.
		failed := o.run(r, s, at, w, "failed", at.Add(c.minutes(length)).Add(time.Minute))
		if failed.FinishedAt.IsZero() {
			return failed
		}
		at = failed.FinishedAt.Add(c.minutes(12))
		if at.After(o.until) {
			d.pending = true
			return failed
		}
	}
	first = o.run(r, s, at, w, "succeeded", at.Add(c.minutes(length)).Add(time.Minute))
	if first.FinishedAt.IsZero() {
		return first
	}
	d.busy = first.FinishedAt
	fails := false
	if !w.redeploy {
		if !d.broken {
			d.before = d.live
		}
		d.live = w.version
		fails = !w.rollback && d.before.sha != "" && d.before.sha != d.live.sha && c.happens(p.failure)
		d.broken = fails
	}
	d.reached = 1
	for n := 1; n < len(s.regions); n++ {
		if fails && c.happens(0.5) || w.targets > 0 && n >= w.targets {
			break // it was noticed before it went on
		}
		begin := d.busy.Add(c.minutes(15))
		w.target = s.regions[n]
		next := o.run(r, s, begin, w, "succeeded", begin.Add(c.minutes(length)).Add(time.Minute))
		d.busy = later(next.FinishedAt, begin)
		d.reached++
	}
	if fails {
		o.fail(r, s, first, p)
	}
	return first
}

// again deploys once more what is live: a new setting, or a machine that needs it.
func (o *organisation) again(r *repository, s *service, at time.Time) {
	d := &s.delivered
	if d.live.sha == "" || d.held || d.busy.After(at) || !s.alive(at) || frozen(at) {
		return
	}
	o.ship(r, s, at, rollout{version: d.live, redeploy: true})
}

func (o *organisation) tellDeployments() {
	for _, d := range o.deployments {
		o.facts.Deployments = append(o.facts.Deployments, *d)
	}
}
