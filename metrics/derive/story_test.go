package derive_test

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/event"
)

// epoch is when stories begin.
var epoch = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// story draws facts, most of them told several times: as they went on, corrected, or seen by somebody who knows less.
// Whatever can be told of something else later is: names, places, owners, people, code.
type story struct {
	*rapid.T
	prefix   string // keeps several stories in one store apart
	tellings []event.Event
	tick     int64 // dates the tellings
}

// drawStory draws one story. Names of its subjects begin with the prefix.
func drawStory(t *rapid.T, prefix string) []event.Event {
	s := &story{T: t, prefix: prefix}
	s.people()
	s.services()
	s.code("shop", s.int("commits of shop", 3, 9))
	s.code("conf", s.int("commits of conf", 0, 3))
	s.artifacts()
	s.deployments()
	s.incidents()
	return s.tellings
}

func (s *story) int(label string, low, high int) int {
	return rapid.IntRange(low, high).Draw(s.T, label)
}
func (s *story) chance(label string, n int) bool { return s.int(label, 1, n) == n }
func (s *story) one(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(s.T, label)
}

// at draws an instant within a few days.
func (s *story) at(label string) time.Time {
	return epoch.Add(time.Duration(s.int(label, 0, 60)) * 2 * time.Hour)
}

func (s *story) maybe(label string) time.Time {
	if s.chance("no "+label, 3) {
		return time.Time{}
	}
	return s.at(label)
}

// told dates the next telling, after all earlier ones of this story or, now and then, at the same time.
func (s *story) told(source string) event.Telling {
	if !s.chance("same time", 12) {
		s.tick++
	}
	return event.Telling{Source: source, UpdatedAt: epoch.AddDate(0, 1, 0).Add(time.Duration(s.tick) * time.Millisecond)}
}

func (s *story) tell(e event.Event) { s.tellings = append(s.tellings, e) }

func (s *story) service(label string) string {
	return s.prefix + s.one(label, "web", "web", "web", "api", "old", "stray")
}

func (s *story) people() {
	for _, id := range []string{"ann", "bob"} {
		for range s.int("tellings of "+id, 0, 2) {
			p := &event.Person{Telling: s.told("hr"), ID: s.prefix + id, Bot: s.chance("a bot", 3), Team: s.prefix + "red"}
			if s.chance("alias", 2) {
				p.Aliases = []string{s.prefix + s.one("alias", "cat", "dan")}
			}
			s.tell(p)
		}
	}
	if s.chance("team", 3) {
		s.tell(&event.Team{Telling: s.told("hr"), ID: s.prefix + "red", Parent: s.prefix + "colours"})
	}
}

func (s *story) services() {
	for _, id := range []string{"web", "api"} {
		for range s.int("tellings of "+id, 0, 3) {
			e := &event.Service{Telling: s.told("catalogue"), ID: s.prefix + id, CreatedAt: s.maybe("created"), RetiredAt: s.maybe("retired"),
				Lifecycle: s.one("lifecycle", "production", "experimental"), CreatedVia: s.one("via", "golden_path", "manual")}
			for _, alias := range []string{"old", "stray", "api"} {
				if alias != id && s.chance("alias "+alias, 3) {
					e.Aliases = append(e.Aliases, s.prefix+alias)
				}
			}
			for _, repo := range []string{"shop", "conf"} {
				if s.chance("listed "+repo, 2) {
					r := event.ServiceRepository{Repository: s.prefix + repo}
					if s.chance("paths", 2) {
						r.Paths = []string{s.one("path", "web", "api", "**/*.go", ".")}
						if s.chance("shared", 3) {
							r.SharedPaths = []string{"lib"}
						}
					}
					e.Repositories = append(e.Repositories, r)
				}
			}
			s.tell(e)
		}
	}
	for range s.int("owners", 0, 3) {
		from := s.maybe("owned from")
		name, team := s.service("owned"), s.prefix+s.one("owner", "red", "blue")
		for range s.int("tellings of the owner", 1, 2) {
			o := &event.Ownership{Telling: s.told("catalogue"), Service: name, Team: team, From: from}
			if to := s.maybe("owned until"); to.After(from) {
				o.To = to
			}
			s.tell(o)
		}
	}
}

func sha(repo string, i int) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%s %d", repo, i)))
}

// artifacts draws what was built of which commit.
func (s *story) artifacts() {
	for _, id := range []string{"shop:v1", "shop:v2", "sha256:1"} {
		for range s.int("tellings of artifact "+id, 0, 2) {
			repo := s.one("built of", "shop", "shop", "conf")
			a := &event.Artifact{Telling: s.told("ci"), ID: s.prefix + id, Repository: s.prefix + repo, SHA: sha(repo, s.int("built of", 0, 9)), BuiltAt: s.maybe("built"),
				Version: s.one("version", "", "v1", "v2"), Digest: s.one("digest", "", s.prefix+"sha256:1", s.prefix+"sha256:2")}
			s.tell(a)
		}
	}
}

// images draws what a deployment names in place of a commit.
func (s *story) images() []string {
	switch s.int("images", 0, 5) {
	case 0:
		return []string{s.prefix + s.one("image", "shop:v1", "shop:v2", "side:v1")}
	case 1:
		return []string{"side:9", "registry/shop:v1-g" + sha("shop", s.int("tag", 0, 9))[:7]}
	case 2:
		return []string{s.prefix + "shop:v1@" + s.prefix + "sha256:" + s.one("digest", "1", "2")}
	}
	return nil
}

// code draws a repository's commits, change requests, branch and pipelines.
func (s *story) code(repo string, commits int) {
	name := s.prefix + repo
	any := func(label string) string { return sha(repo, s.int(label, 0, max(commits-1, 0))) }
	for i := range commits {
		c := event.Commit{Repository: name, SHA: sha(repo, i), Author: s.prefix + s.one("author", "ann", "bob", "cat", "dan[bot]"), AuthoredAt: s.at("authored")}
		c.CommittedAt = c.AuthoredAt.Add(time.Duration(s.int("delay", -1, 9)) * time.Hour)
		parents := func() []string {
			var ps []string
			for range s.int("parents", 0, 3) {
				if p := sha(repo, max(0, i-s.int("parent", 1, 3))); i > 0 && !slices.Contains(ps, p) {
					ps = append(ps, p)
				}
			}
			if i > 0 && len(ps) == 0 && !s.chance("root", 5) {
				ps = []string{sha(repo, i-1)}
			}
			return ps
		}
		c.Parents = parents()
		paths := func() []string {
			var ps []string
			for _, p := range []string{"web/a", "api/b.go", "lib/c", "docs/d"} {
				if s.chance("touches "+p, 2) {
					ps = append(ps, p)
				}
			}
			return ps
		}
		c.Paths = paths()
		marks := func() {
			c.CherryPickedFrom, c.Reverts = "", ""
			if i > 0 && s.chance("copy", 4) {
				c.CherryPickedFrom = any("copied")
			}
			if i > 0 && s.chance("revert", 4) {
				c.Reverts = any("reverted")
			}
		}
		marks()
		if s.chance("never told", 15) {
			continue
		}
		first := c
		first.Telling = s.told("git")
		s.tell(&first)
		if s.chance("told anew", 6) {
			c.Telling = s.told("git")
			switch s.int("what is new", 0, 4) {
			case 0:
				c.Paths = paths()
			case 1:
				c.Author = s.prefix + "bob"
			case 2:
				c.AuthoredAt = s.at("authored")
			case 3:
				marks()
			case 4:
				c.Parents = parents()
			}
			s.tell(&c)
		}
	}
	if commits == 0 {
		return
	}
	for i := range s.int("change requests of "+repo, 0, 3) {
		r := event.ChangeRequest{Repository: name, ID: fmt.Sprint(i), Author: s.prefix + s.one("author", "ann", "cat"), CreatedAt: s.at("opened")}
		for range s.int("tellings of the change request", 1, 3) {
			r.Telling = s.told("forge")
			r.MergedAt, r.FirstReviewAt, r.ReadyAt, r.FirstCommitAt = s.maybe("merged"), s.maybe("reviewed"), time.Time{}, time.Time{}
			if s.chance("ready", 4) {
				r.ReadyAt = s.at("ready")
			}
			if s.chance("first commit", 6) {
				r.FirstCommitAt = s.at("first commit")
			}
			if s.chance("other commits", 2) {
				r.Commits, r.Landed = nil, nil
				for range s.int("originals", 0, 3) {
					r.Commits = append(r.Commits, any("original"))
				}
				for range s.int("landed", 0, 2) {
					r.Landed = append(r.Landed, any("landed"))
				}
			}
			r.URL = s.one("url", "", "https://forge/"+fmt.Sprint(i))
			told := r
			told.Commits, told.Landed = slices.Clone(r.Commits), slices.Clone(r.Landed)
			s.tell(&told)
		}
	}
	for range s.int("tellings of the branch", 0, 2) {
		s.tell(&event.Branch{Telling: s.told("git"), Repository: name, Name: "main", SHA: any("head"), Default: !s.chance("not the default", 6)})
	}
	for i := range s.int("pipelines", 0, 1) {
		for range s.int("tellings of the pipeline", 1, 2) {
			s.tell(&event.PipelineRun{Telling: s.told("forge"), Repository: name, ID: fmt.Sprint(i), Attempt: 1, Status: s.one("status", "in_progress", "succeeded"), FinishedAt: s.at("finished")})
		}
	}
}

func (s *story) deployments() {
	for n := range s.int("deployments", 2, 10) {
		d := event.Deployment{Service: s.service("deployed"), ID: fmt.Sprint("d", n), Environment: "production"}
		if n > 0 && s.chance("an id that is taken", 12) {
			d.ID = "d0"
		}
		source := s.one("source", "cd", "cd", "cd", "cd", "cd2")
		if s.chance("attempt", 10) {
			d.Attempt = 2
		}
		for range s.int("tellings of the deployment", 1, 2) {
			d.Telling = s.told(source)
			d.FinishedAt, d.StartedAt = s.at("finished"), time.Time{}
			if !s.chance("start unknown", 5) {
				d.StartedAt = d.FinishedAt.Add(-time.Duration(s.int("takes hours", 0, 3)) * time.Hour)
			}
			d.Status = s.one("status", "succeeded", "succeeded", "succeeded", "succeeded", "failed", "in_progress", "cancelled")
			d.Environment = s.one("environment", "production", "production", "production", "production", "prod-us", "staging", "Staging")
			d.Target = s.one("target", "eu", "eu", "eu", "us", "")
			d.Revisions, d.Images = nil, s.images()
			for _, repo := range []string{"shop", "conf"} {
				if s.chance("of "+repo, 2) || repo == "shop" && d.Images == nil && !s.chance("not of shop", 6) {
					r := event.Revision{Repository: s.prefix + repo, SHA: sha(repo, s.int("revision", 0, 9))}
					if s.chance("beginning of the name", 8) {
						r.SHA = r.SHA[:10]
					}
					if repo == "conf" && s.chance("config", 2) {
						r.Role = "config"
					}
					if s.chance("previous", 10) {
						r.PreviousSHA = sha(repo, s.int("previous", 0, 9))
					}
					d.Revisions = append(d.Revisions, r)
				}
			}
			d.Version, d.Artifact, d.URL = s.one("version", "", "", "v1", "v2"), s.one("artifact", "", "", "", "", "", "", "sha256:1"), s.one("url", "", "https://cd")
			d.Rollback, d.Hotfix = s.chance("rollback", 10), s.chance("hotfix", 6)
			d.Failed = nil
			if s.chance("verdict", 10) {
				failed := s.chance("failed", 2)
				d.Failed = &failed
			}
			d.Remediates, d.RemediatesIncidents = nil, nil
			if s.chance("remediates", 8) {
				d.Remediates = slices.DeleteFunc([]string{s.one("remediated", "d0", "d1", "cd:d2")}, func(id string) bool { return id == d.ID })
			}
			if s.chance("remediates an incident", 12) {
				d.RemediatesIncidents = []string{"i0"}
			}
			told := d
			s.tell(&told)
		}
	}
}

func (s *story) incidents() {
	for i := range s.int("incidents", 0, 3) {
		e := event.Incident{ID: s.prefix + fmt.Sprint("i", i), Service: s.service("affected"), StartedAt: s.at("began")}
		source := s.one("source", "pager", "pager", "other")
		if s.chance("an id that is taken", 8) {
			e.ID = s.prefix + "i0"
		}
		for range s.int("tellings of the incident", 1, 3) {
			e.Telling = s.told(source)
			if s.chance("of another service", 3) {
				e.Service = s.service("affected")
			}
			if s.chance("began at another time", 4) {
				e.StartedAt = s.at("began")
			}
			e.RestoredAt, e.ResolvedAt = s.maybe("restored"), s.maybe("resolved")
			e.Cause, e.CausedByDeployment = s.one("cause", "deployment", "unknown", "external"), ""
			if !s.chance("without a cause", 3) {
				e.CausedByDeployment = s.one("caused by", "d0", "d1", "d2", "d3", "cd:d1", "d4#2")
			}
			e.Title = s.one("title", "", "down")
			told := e
			s.tell(&told)
		}
	}
}
