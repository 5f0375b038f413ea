package derive_test

import (
	"fmt"
	"testing"
	"time"

	"cairn/internal/event"
)

// scene tells facts one after the other, each later than the one before.
type scene struct {
	prefix string
	tick   int
	list   []event.Event
}

func hour(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }

func (s *scene) telling(source string) event.Telling {
	s.tick++
	return event.Telling{Source: source, UpdatedAt: epoch.AddDate(0, 1, 0).Add(time.Duration(s.tick) * time.Second)}
}

func (s *scene) tell(e event.Event) { s.list = append(s.list, e) }

func (s *scene) named(names []string) []string {
	for i := range names {
		names[i] = s.prefix + names[i]
	}
	return names
}

// commit tells a commit of the repository shop that touches web/a, with what change makes of it.
func (s *scene) commit(sha string, at int, parents []string, change ...func(*event.Commit)) {
	c := &event.Commit{Telling: s.telling("git"), Repository: s.prefix + "shop", SHA: sha, Parents: parents, Author: s.prefix + "ann",
		AuthoredAt: hour(at), CommittedAt: hour(at), Paths: []string{"web/a"}}
	for _, f := range change {
		f(c)
	}
	s.tell(c)
}

// deploy tells a successful production run of the service web.
func (s *scene) deploy(id string, at int, sha string, change ...func(*event.Deployment)) {
	d := &event.Deployment{Telling: s.telling("cd"), Service: s.prefix + "web", ID: id, Environment: "production", Target: "eu", Status: "succeeded",
		StartedAt: hour(at), FinishedAt: hour(at), Revisions: []event.Revision{{Repository: s.prefix + "shop", SHA: sha}}}
	for _, f := range change {
		f(d)
	}
	s.tell(d)
}

// service tells the catalogue's entry of web, built from shop.
func (s *scene) service(change ...func(*event.Service)) {
	e := &event.Service{Telling: s.telling("catalogue"), ID: s.prefix + "web", CreatedAt: hour(0),
		Repositories: []event.ServiceRepository{{Repository: s.prefix + "shop"}}}
	for _, f := range change {
		f(e)
	}
	s.tell(e)
}

func (s *scene) request(id string, merged int, change ...func(*event.ChangeRequest)) {
	r := &event.ChangeRequest{Telling: s.telling("forge"), Repository: s.prefix + "shop", ID: id, CreatedAt: hour(1), MergedAt: hour(merged)}
	for _, f := range change {
		f(r)
	}
	s.tell(r)
}

func (s *scene) incident(id string, at int, change ...func(*event.Incident)) {
	e := &event.Incident{Telling: s.telling("pager"), ID: s.prefix + id, Service: s.prefix + "web", StartedAt: hour(at), Cause: "deployment"}
	for _, f := range change {
		f(e)
	}
	s.tell(e)
}

func (s *scene) owner(team string, from, to int) {
	s.tell(&event.Ownership{Telling: s.telling("catalogue"), Service: s.prefix + "web", Team: s.prefix + team, From: hour(from), To: hour(to)})
}

// history is c1..c4 in a row and their deployments d2 and d4, after d1 of c1.
func (s *scene) history() {
	s.commit("c1", 1, nil)
	s.commit("c2", 2, []string{"c1"})
	s.commit("c3", 3, []string{"c2"})
	s.commit("c4", 4, []string{"c3"})
	s.deploy("d1", 10, "c1")
	s.deploy("d2", 20, "c2")
	s.deploy("d4", 40, "c4")
}

func status(text string) func(*event.Deployment) {
	return func(d *event.Deployment) { d.Status = text }
}

// arrivals are pairs: what was known and derived from, and what was told then.
var arrivals = map[string]struct{ first, then func(*scene) }{
	"nothing": {(*scene).history, func(*scene) {}},
	"one more deployment": {(*scene).history, func(s *scene) {
		s.commit("c5", 5, []string{"c4"})
		s.deploy("d5", 50, "c5")
	}},
	"an older deployment moves the baseline": {(*scene).history, func(s *scene) { s.deploy("d0", 5, "c2") }},
	"a deployment in between": {(*scene).history, func(s *scene) {
		s.deploy("d3", 30, "c3")
		s.deploy("d3b", 30, "c3", func(d *event.Deployment) { d.Target = "us" })
	}},
	"a deployment at the same instant as another": {(*scene).history, func(s *scene) { s.deploy("d3", 40, "c3") }},
	"the first deployment failed after all":       {(*scene).history, func(s *scene) { s.deploy("d1", 10, "c1", status("failed")) }},
	"a failed run succeeded after all": {func(s *scene) {
		s.history()
		s.deploy("d3", 30, "c3", status("failed"))
	}, func(s *scene) { s.deploy("d3", 30, "c3") }},
	"a failed run succeeded later after all": {func(s *scene) {
		s.history()
		s.deploy("d3", 30, "c3", status("failed"))
	}, func(s *scene) { s.deploy("d3", 35, "c3") }},
	"a run that goes on succeeds": {func(s *scene) {
		s.history()
		s.deploy("d5", 50, "c4", func(d *event.Deployment) { d.Status, d.FinishedAt = "in_progress", time.Time{} })
	}, func(s *scene) { s.deploy("d5", 60, "c4") }},
	"a deployment was earlier":              {(*scene).history, func(s *scene) { s.deploy("d4", 15, "c4") }},
	"a deployment was later":                {(*scene).history, func(s *scene) { s.deploy("d2", 45, "c2") }},
	"a deployment went to staging":          {(*scene).history, func(s *scene) { s.deploy("d2", 20, "c2", func(d *event.Deployment) { d.Environment = "staging" }) }},
	"a deployment went to another target":   {(*scene).history, func(s *scene) { s.deploy("d2", 20, "c2", func(d *event.Deployment) { d.Target = "us" }) }},
	"a deployment carried another revision": {(*scene).history, func(s *scene) { s.deploy("d2", 20, "c3") }},
	"a verdict": {(*scene).history, func(s *scene) {
		s.deploy("d2", 20, "c2", func(d *event.Deployment) { failed := true; d.Failed = &failed })
	}},
	"another link": {(*scene).history, func(s *scene) { s.deploy("d2", 20, "c2", func(d *event.Deployment) { d.URL = "https://cd/2" }) }},
	"the same id from another system": {(*scene).history, func(s *scene) {
		s.deploy("d2", 22, "c3", func(d *event.Deployment) { d.Source = "other" })
	}},
	"a commit that was deployed": {func(s *scene) {
		s.commit("c1", 1, nil)
		s.deploy("d1", 10, "c1")
		s.deploy("d2", 20, "c2")
		s.deploy("d3", 30, "c1")
	}, func(s *scene) { s.commit("c2", 2, []string{"c1"}) }},
	"a gap in the history is filled": {func(s *scene) {
		s.commit("c1", 1, nil)
		s.commit("c3", 3, []string{"c2"})
		s.deploy("d1", 10, "c1")
		s.deploy("d3", 30, "c3")
	}, func(s *scene) { s.commit("c2", 2, []string{"c1"}) }},
	"a shallow history is deepened": {func(s *scene) {
		s.commit("c1", 1, nil)
		s.commit("c2", 2, nil)
		s.commit("c3", 3, []string{"c2"})
		s.deploy("d2", 20, "c2")
		s.deploy("d3", 30, "c3")
		s.deploy("d1", 40, "c1")
	}, func(s *scene) { s.commit("c2", 2, []string{"c1"}) }},
	"the paths of a commit are told later": {func(s *scene) {
		s.service(func(e *event.Service) { e.Repositories[0].Paths = []string{"web"} })
		s.commit("c1", 1, nil)
		s.commit("c2", 2, []string{"c1"}, func(c *event.Commit) { c.Paths = nil })
		s.deploy("d1", 10, "c1")
		s.deploy("d2", 20, "c2")
	}, func(s *scene) { s.commit("c2", 2, []string{"c1"}) }},
	"the paths of a commit were other ones": {func(s *scene) {
		s.service(func(e *event.Service) { e.Repositories[0].Paths = []string{"web"} })
		s.history()
	}, func(s *scene) {
		s.commit("c3", 3, []string{"c2"}, func(c *event.Commit) { c.Paths = []string{"api/x"} })
	}},
	"many commits on the service's paths": {func(s *scene) {
		s.service(func(e *event.Service) { e.Repositories[0].Paths = []string{"web"} })
		s.history()
	}, func(s *scene) {
		for i := 5; i < 100; i++ {
			s.commit(fmt.Sprint("c", i), i, []string{fmt.Sprint("c", i-1)})
		}
		s.deploy("d98", 120, "c98")
		s.deploy("d99", 130, "c99")
	}},
	"the author of a commit was another one": {(*scene).history, func(s *scene) {
		s.commit("c2", 2, []string{"c1"}, func(c *event.Commit) { c.Author = s.prefix + "bob" })
	}},
	"a copy of a deployed commit": {(*scene).history, func(s *scene) {
		s.commit("p2", 0, []string{"c1"}, func(c *event.Commit) { c.CherryPickedFrom = "c2" })
		s.deploy("d5", 50, "p2")
	}},
	"another copy of something unknown": {func(s *scene) {
		s.commit("c1", 1, nil)
		s.commit("c2", 9, []string{"c1"}, func(c *event.Commit) { c.CherryPickedFrom = "lost" })
		s.deploy("d1", 10, "c1")
		s.deploy("d2", 20, "c2")
	}, func(s *scene) {
		s.commit("p2", 3, []string{"c1"}, func(c *event.Commit) { c.CherryPickedFrom = "lost" })
	}},
	"a change request that was deployed": {(*scene).history, func(s *scene) {
		s.request("1", 3, func(r *event.ChangeRequest) { r.Commits, r.Landed = []string{"c2"}, []string{"c2", "c3"} })
	}},
	"a change request takes a commit over": {func(s *scene) {
		s.history()
		s.commit("o1", 1, nil)
		s.commit("o2", 2, nil)
		s.request("1", 3, func(r *event.ChangeRequest) { r.Commits, r.Landed = []string{"o1", "o2"}, []string{"c2"} })
	}, func(s *scene) {
		s.request("2", 2, func(r *event.ChangeRequest) { r.Commits, r.Landed = []string{"o1"}, []string{"x"} })
	}},
	"a change request was not merged after all": {func(s *scene) {
		s.history()
		s.request("1", 3, func(r *event.ChangeRequest) { r.Landed = []string{"c2", "c3"} })
	}, func(s *scene) {
		s.request("1", 3, func(r *event.ChangeRequest) { r.Landed, r.MergedAt = []string{"c2", "c3"}, time.Time{} })
	}},
	"a change request that waits is told anew": {func(s *scene) {
		s.history()
		s.commit("c5", 5, []string{"c4"})
		s.request("1", 6, func(r *event.ChangeRequest) { r.Landed = []string{"c5"} })
	}, func(s *scene) {
		s.request("1", 7, func(r *event.ChangeRequest) { r.Landed, r.URL = []string{"c5"}, "https://forge/1" })
	}},
	"the default branch moves": {func(s *scene) {
		s.history()
		s.commit("c5", 5, []string{"c4"})
	}, func(s *scene) {
		s.tell(&event.Branch{Telling: s.telling("git"), Repository: s.prefix + "shop", Name: "main", SHA: "c5", Default: true})
	}},
	"a repository that the service does not list": {(*scene).history, func(s *scene) {
		conf := s.prefix + "conf"
		s.tell(&event.Commit{Telling: s.telling("git"), Repository: conf, SHA: "k1", Author: "ann", AuthoredAt: hour(1), CommittedAt: hour(1)})
		s.deploy("d5", 50, "c4", func(d *event.Deployment) {
			d.Revisions = append(d.Revisions, event.Revision{Repository: conf, SHA: "k1"})
		})
	}},
	"the service lists other paths": {func(s *scene) {
		s.service(func(e *event.Service) { e.Repositories[0].Paths = []string{"web"} })
		s.history()
	}, func(s *scene) {
		s.service(func(e *event.Service) { e.Repositories[0].Paths = []string{"api"} })
	}},
	"the service was created later than its first deployment": {func(s *scene) {
		s.service()
		s.history()
	}, func(s *scene) { s.service(func(e *event.Service) { e.CreatedAt = hour(15) }) }},
	"the service is registered": {(*scene).history, func(s *scene) { s.service() }},
	"an owner":                  {(*scene).history, func(s *scene) { s.owner("red", 0, 15) }},
	"an owner's end": {func(s *scene) {
		s.history()
		s.incident("i1", 21)
		s.owner("red", 0, 100)
	}, func(s *scene) { s.owner("red", 0, 21) }},
	"an incident of another service after all": {func(s *scene) {
		s.history()
		s.incident("i1", 21, func(e *event.Incident) { e.CausedByDeployment = "d2" })
	}, func(s *scene) {
		s.incident("i1", 21, func(e *event.Incident) { e.Service = s.prefix + "other" })
	}},
	"the only thing known of a service moves": {func(s *scene) {
		s.incident("i1", 21, func(e *event.Incident) { e.Service = s.prefix + "other" })
	}, func(s *scene) { s.incident("i1", 21) }},
	"an incident began earlier": {func(s *scene) {
		s.history()
		s.incident("i1", 21)
	}, func(s *scene) { s.incident("i1", 19) }},
	"an incident that another deployment caused": {func(s *scene) {
		s.history()
		s.incident("i1", 41, func(e *event.Incident) { e.CausedByDeployment = "d4" })
	}, func(s *scene) {
		s.incident("i1", 41, func(e *event.Incident) { e.CausedByDeployment, e.RestoredAt = "d2", hour(42) })
	}},
	"the deployment behind an incident has another first run": {func(s *scene) {
		s.history()
		s.deploy("d5", 50, "c3", func(d *event.Deployment) { d.Target = "ap" })
		s.deploy("d5b", 51, "c3")
		s.incident("i1", 52, func(e *event.Incident) { e.CausedByDeployment = "d5b" })
	}, func(s *scene) { s.deploy("d5", 50, "c3", status("failed")) }},
	"a failed run that an incident blames began at another time": {func(s *scene) {
		s.history()
		s.deploy("d5", 50, "c4", status("failed"))
		s.incident("i1", 51, func(e *event.Incident) { e.CausedByDeployment = "d5" })
	}, func(s *scene) {
		s.deploy("d5", 50, "c4", status("failed"), func(d *event.Deployment) { d.StartedAt = hour(45) })
	}},
	"a second attempt of what is remediated": {func(s *scene) {
		s.history()
		s.deploy("d5", 50, "c2", func(d *event.Deployment) { d.Remediates = []string{"d4"} })
	}, func(s *scene) {
		s.deploy("d4", 60, "c3", func(d *event.Deployment) { d.Attempt = 2 })
	}},
	"what an image was built of": {imaged, func(s *scene) { s.built("shop:v1", "c2") }},
	"an image was built of something else": {func(s *scene) {
		s.built("shop:v1", "c2")
		imaged(s)
	}, func(s *scene) { s.built("shop:v1", "c3") }},
	"a commit of a repository that only an image names": {func(s *scene) {
		s.built("shop:v1", "k1", func(a *event.Artifact) { a.Repository = s.prefix + "conf" })
		imaged(s)
	}, func(s *scene) {
		s.tell(&event.Commit{Telling: s.telling("git"), Repository: s.prefix + "conf", SHA: "k1", Author: "ann", AuthoredAt: hour(1), CommittedAt: hour(1)})
	}},
	"a commit that a tag names": {tagged, func(s *scene) { s.commit(second, 5, []string{"c4"}) }},
	"a tag may be of two commits after all": {func(s *scene) {
		s.commit(second, 5, []string{"c4"})
		tagged(s)
	}, func(s *scene) { s.commit(third, 6, []string{"c4"}) }},
	"a pipeline's first success": {func(s *scene) {
		s.service()
		s.history()
	}, func(s *scene) {
		for i, at := range []int{-5, 5} {
			s.tell(&event.PipelineRun{Telling: s.telling("forge"), Repository: s.prefix + "shop", ID: fmt.Sprint(i), Status: "succeeded", FinishedAt: hour(at)})
		}
	}},
}

// imaged is the history and a deployment that names an image.
func imaged(s *scene) {
	s.history()
	s.deploy("d5", 50, "", func(d *event.Deployment) { d.Revisions, d.Images = nil, s.named([]string{"shop:v1"}) })
}

// tagged is the history of a service that lists its repository, and a deployment of an image with a commit in its tag.
func tagged(s *scene) {
	s.service()
	s.history()
	s.deploy("d5", 50, "", func(d *event.Deployment) { d.Revisions, d.Images = nil, []string{"shop:main-" + second[:7]} })
}

func (s *scene) built(id, sha string, change ...func(*event.Artifact)) {
	a := &event.Artifact{Telling: s.telling("ci"), ID: s.prefix + id, Repository: s.prefix + "shop", SHA: sha}
	for _, f := range change {
		f(a)
	}
	s.tell(a)
}

// renames are arrivals that change what names mean; each begins with deployments under the names web, old and api.
var renames = map[string]struct{ first, then func(*scene) }{
	"a service was called otherwise":  {func(*scene) {}, func(s *scene) { s.alias("web", "old") }},
	"a service was not called that":   {func(s *scene) { s.alias("web", "old") }, func(s *scene) { s.alias("web") }},
	"another service was called that": {func(s *scene) { s.alias("web", "old") }, func(s *scene) { s.alias("api", "old") }},
	"a name gets an owner": {func(s *scene) {
		s.alias("web", "old")
		s.tell(&event.Ownership{Telling: s.telling("catalogue"), Service: s.prefix + "old", Team: "red"})
	}, func(s *scene) { s.alias("web") }},
	"a service of its own after all": {func(s *scene) { s.alias("web", "old") }, func(s *scene) { s.alias("old") }},
	"a service is a name after all":  {func(s *scene) { s.alias("web") }, func(s *scene) { s.alias("web", "api") }},
}

func (s *scene) alias(id string, aliases ...string) {
	s.tell(&event.Service{Telling: s.telling("catalogue"), ID: s.prefix + id, Aliases: s.named(aliases)})
}

// newcomers are arrivals that change who stands behind commits.
var newcomers = map[string]struct{ first, then func(*scene) }{
	"an author is a machine": {(*scene).history, func(s *scene) {
		s.tell(&event.Person{Telling: s.telling("hr"), ID: s.prefix + "ann", Bot: true})
	}},
	"an author has another name": {func(s *scene) {
		s.history()
		s.request("1", 3, func(r *event.ChangeRequest) { r.Landed, r.Author = []string{"c2"}, s.prefix+"Ann" })
		s.tell(&event.Person{Telling: s.telling("hr"), ID: s.prefix + "anna"})
	}, func(s *scene) {
		s.tell(&event.Person{Telling: s.telling("hr"), ID: s.prefix + "anna", Aliases: []string{s.prefix + "ann"}})
	}},
}

// What arrives later changes the tables as if it had been there from the start: for a deriver that was there, and for
// one that is new.
func TestWhatArrivesLaterIsTakenIn(t *testing.T) {
	b := newBench(t)
	for group, pairs := range map[string]map[string]struct{ first, then func(*scene) }{"arrivals": arrivals, "renames": renames, "newcomers": newcomers} {
		for _, cold := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/cold=%v", group, cold), func(t *testing.T) {
				b.reset()
				var first, then []event.Event
				for name, pair := range pairs {
					s := &scene{prefix: name + ": "}
					if group == "renames" {
						s.history()
						s.deploy("d5", 25, "c3", func(d *event.Deployment) { d.Service = s.prefix + "old" })
						s.deploy("d6", 35, "c3", func(d *event.Deployment) { d.Service = s.prefix + "api" })
						s.incident("i1", 26, func(e *event.Incident) { e.Service, e.CausedByDeployment = s.prefix+"old", "d5" })
					}
					pair.first(s)
					n := len(s.list)
					pair.then(s)
					first, then = append(first, s.list[:n]...), append(then, s.list[n:]...)
				}
				d := b.deriver()
				b.write(first...)
				b.catchUp(d)
				if cold {
					b.age()
					d = b.deriver()
				}
				b.write(then...)
				b.catchUp(d)
				b.sameAsAnew(t)
			})
		}
	}
}
