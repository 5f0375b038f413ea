package githubtest

import (
	"fmt"
	"time"
)

// Story is a short history that is written by hand, in any of the ways in which teams bring changes to a branch: what was
// done, when, and what is live when is the same in all of them.
//
//	day 0  09:00  the first commit          10:00  it is live in production
//	day 1  09:00  change A is begun         (11:00, 15:00 two more commits of it, when it has several)
//	       16:00  A is opened
//	day 2  09:00  change B is begun         (10:30 one more commit of it, when it has several)
//	       10:00  A is approved             11:00  B is opened
//	       12:00  A lands                   13:00  B is approved        14:00  B lands
//	day 3  08:50  a deployment begins       09:00  A and B are live in production
//
// So there are two changes, A with a lead time of 48 hours and B with one of 24. With Trunk the commits are pushed as they are
// written, without pull requests: then each commit is a change.
func (f *Fake) Story(name, style string, several bool) (repo string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	begin := StoryBegin
	at := func(day, hour, minute int) time.Time {
		return begin.AddDate(0, 0, day).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	r := &repository{
		id: f.world.id(), owner: f.world.org, name: name, branch: "main", style: style, commits: map[string]*commit{}, tags: map[string]string{}, files: map[string]string{},
		nextNumber: 1, created: begin, updated: begin, pushed: begin,
	}
	f.world.repos = append(f.world.repos, r)
	mk := &maker{world: f.world, Rand: f.rand, r: r}
	ada, bo := f.world.users[0], f.world.users[1]
	write := func(message string, when time.Time, parent string) *commit {
		c := mk.commit(ada, message, when, when, parentsOf(parent)...)
		c.known = true
		return c
	}
	deploy := func(begun, live time.Time) {
		mk.now = begun
		d := mk.deployment("production")
		mk.state(d, "in_progress")
		mk.now = live
		mk.state(d, "success")
	}
	r.head = write("The first commit", at(0, 9, 0), "").sha
	first := r.head
	deploy(at(0, 9, 50), at(0, 10, 0))

	instants := [][]time.Time{{at(1, 9, 0)}, {at(2, 9, 0)}}
	if several {
		instants = [][]time.Time{{at(1, 9, 0), at(1, 11, 0), at(1, 15, 0)}, {at(2, 9, 0), at(2, 10, 30)}}
	}
	if style == Trunk {
		for i, change := range instants {
			for j, when := range change {
				r.head = write(fmt.Sprintf("Part %d of %c", j+1, 'A'+rune(i)), when, r.head).sha
			}
		}
		r.pushed, r.updated = at(2, 10, 30), at(2, 10, 30)
	} else {
		var pulls []*pull
		for i, change := range instants {
			p := &pull{id: f.world.id(), author: ada, base: "main", branch: fmt.Sprintf("change-%c", 'a'+rune(i)), title: fmt.Sprintf("Change %c", 'A'+rune(i)), additions: 10}
			head := first
			for j, when := range change {
				c := write(fmt.Sprintf("Part %d of %c", j+1, 'A'+rune(i)), when, head)
				p.commits = append(p.commits, c)
				head = c.sha
			}
			p.number = mk.number()
			p.created = []time.Time{at(1, 16, 0), at(2, 11, 0)}[i]
			p.updated = p.created
			r.pulls = append(r.pulls, p)
			pulls = append(pulls, p)
		}
		for i, p := range pulls {
			mk.now = []time.Time{at(2, 10, 0), at(2, 13, 0)}[i]
			mk.review(p, bo, "APPROVED")
			mk.now = []time.Time{at(2, 12, 0), at(2, 14, 0)}[i]
			mk.end = mk.now // landing takes no time
			mk.land(p, style)
			mk.end = time.Time{}
		}
	}
	deploy(at(3, 8, 50), at(3, 9, 0))
	return r.full()
}

// StoryBegin is midnight before the first commit of a Story.
var StoryBegin = Epoch.Truncate(24*time.Hour).AddDate(0, 0, -10)
