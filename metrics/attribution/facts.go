package attribution

import (
	"cmp"
	"math"
)

// Times in this package are milliseconds since 1970 in UTC; Absent is no time.
const Absent = math.MinInt64

// Statuses and kinds of runs.
const (
	Succeeded = "succeeded"
	Failed    = "failed"

	KindChange    = "change"     // a version that was never live for the service
	KindRedeploy  = "redeploy"   // the version that is live on the target already
	KindRollout   = "rollout"    // a further target of a version that is live elsewhere
	KindRollback  = "rollback"   // back to a version that was live before
	KindReRelease = "re_release" // forward again to a version that was live before
	KindFailedRun = "failed_run" // never live, but an incident names it as its cause
	KindNotLive   = "not_live"   // any other run that did not succeed
)

// Revision is what a run carried of one repository.
type Revision struct {
	Repository  string
	SHA         string
	PreviousSHA string
}

// Run is one deployment run to one target.
type Run struct {
	ID                  string // unique among the service's runs
	Environment         string
	Target              string
	Status              string
	StartedAt           int64 // or Absent
	FinishedAt          int64 // for runs that ended; Absent while they go on
	Revisions           []Revision
	Artifact            string // immutable digest; the version's identity when given
	VersionName         string
	Rollback            bool
	Hotfix              bool
	Unplanned           bool
	Remediates          []string
	RemediatesIncidents []string
	Verdict             *bool // a person's word on whether the change failed
	Way                 string
	URL                 string
}

// before is the order in which runs change what is live.
func (r *Run) before(o *Run) bool {
	if r.FinishedAt != o.FinishedAt {
		return r.FinishedAt < o.FinishedAt
	}
	return r.ID < o.ID
}

// ChangeRequest is a pull or merge request. Only merged ones matter here.
type ChangeRequest struct {
	ID            string
	Author        string
	Bot           bool
	CreatedAt     int64
	FirstCommitAt int64 // or Absent
	ReadyAt       int64 // or Absent
	FirstReviewAt int64 // or Absent
	MergedAt      int64
	Commits       []string // original
	Landed        []string
	URL           string
}

// Repository is a commit graph with the change requests that brought its commits.
type Repository struct {
	ID       string
	Graph    *Graph
	Head     string // sha of the default branch's head, "" when not told
	Requests []ChangeRequest

	landed   map[uint32]int32
	original map[uint32]int32
}

// Index sorts out which commit belongs to which change request: to the one it landed by, then to the one merged
// first. Call it after Requests or Graph were replaced or Requests changed.
func (r *Repository) Index() {
	r.landed, r.original = map[uint32]int32{}, map[uint32]int32{}
	claim := func(m map[uint32]int32, sha string, i int) {
		c := r.Graph.intern(sha)
		if o, taken := m[c]; !taken || r.mergedBefore(int32(i), o) {
			m[c] = int32(i)
		}
	}
	for i := range r.Requests {
		for _, sha := range r.Requests[i].Landed {
			claim(r.landed, sha, i)
		}
		for _, sha := range r.Requests[i].Commits {
			claim(r.original, sha, i)
		}
	}
}

// owner is the change request that a commit belongs to without regard to copies; -1 for none.
func (r *Repository) owner(c uint32) int32 {
	if i, ok := r.landed[c]; ok {
		return i
	}
	if i, ok := r.original[c]; ok {
		return i
	}
	return -1
}

// originals are the known commits that a change request was made of: those that belong to no other one, or all of them
// where none does. One that names none was made of what landed. unknown are the others that it names.
func (r *Repository) originals(request int32) (known, unknown []uint32) {
	names := r.Requests[request].Commits
	if len(names) == 0 {
		names = r.Requests[request].Landed
	}
	var own []uint32
	for _, sha := range names {
		c, _ := r.Graph.Find(sha)
		switch {
		case r.Graph.flags[c]&flagKnown == 0:
			unknown = append(unknown, c)
			continue
		case r.owner(c) == request:
			own = append(own, c)
		}
		known = append(known, c)
	}
	if own != nil {
		known = own
	}
	return known, unknown
}

// mergeOrder compares two change requests by when they were merged; none, -1, comes last.
func (r *Repository) mergeOrder(i, j int32) int {
	if i < 0 || j < 0 {
		return cmp.Compare(j, i)
	}
	a, b := &r.Requests[i], &r.Requests[j]
	return cmp.Or(cmp.Compare(a.MergedAt, b.MergedAt), cmp.Compare(a.ID, b.ID))
}

func (r *Repository) mergedBefore(i, j int32) bool { return r.mergeOrder(i, j) < 0 }

// request finds the change request of a commit and the rule that says so; -1 for none. A copy stands for the
// commit it copies.
func (r *Repository) request(c uint32) (int32, string) {
	if i, ok := r.landed[c]; ok {
		return i, RuleLanded
	}
	if i, ok := r.original[c]; ok {
		return i, RuleOriginal
	}
	best := int32(-1)
	for _, m := range []map[uint32]int32{r.landed, r.original} {
		for o := range r.Graph.Copies(c) {
			if i, ok := m[o]; ok && (best < 0 || r.mergedBefore(i, best)) {
				best = i
			}
		}
		if best >= 0 {
			return best, RuleCopy
		}
	}
	return -1, RuleCommit
}

// Rules that link a change to a deployment.
const (
	RuleCommit   = "commit"   // the commit itself went live and belongs to no change request
	RuleLanded   = "landed"   // a commit that the merge put on the base branch went live
	RuleOriginal = "original" // a commit of the head branch went live
	RuleCopy     = "copy"     // a cherry-picked copy of one of its commits went live
)

// Author says who wrote a commit: the person behind the name the commit carries, and whether that is a machine.
type Author func(name string) (person string, bot bool)

// Part is a repository, or the part of one, that a service is built from.
type Part struct {
	Repository string
	Match      *Bits // commits that touch the service's paths; nil: every commit does
}

// Settings are the parameters of the definitions. Durations in milliseconds.
type Settings struct {
	NegativeTolerance int64 // lead times down to minus this are clock skew and count as 0
	RolloutWindow     int64 // targets within it, from the first, are one roll-out or rollback
	InferRollback     bool
	InferRevert       bool
	InferHotfix       bool
	HotfixWindow      int64
	IncidentWindow    int64 // 0: incidents are not linked by time
}
