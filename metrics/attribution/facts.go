package attribution

import "math"

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
// first. Call it after Requests or Graph changed.
func (r *Repository) Index() {
	r.landed, r.original = map[uint32]int32{}, map[uint32]int32{}
	claim := func(m map[uint32]int32, sha string, i int) {
		c, ok := r.Graph.Find(sha)
		if !ok {
			return
		}
		if o, taken := m[c]; !taken || r.mergedBefore(i, int(o)) {
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

// own are the original commits that belong to a change request and to no other; all it names where none does.
func (r *Repository) own(request int32) []string {
	var own []string
	for _, sha := range r.Requests[request].Commits {
		c, ok := r.Graph.Find(sha)
		if !ok {
			own = append(own, sha)
			continue
		}
		i, landed := r.landed[c]
		if !landed {
			i = r.original[c]
		}
		if i == request {
			own = append(own, sha)
		}
	}
	if own == nil {
		return r.Requests[request].Commits
	}
	return own
}

func (r *Repository) mergedBefore(i, j int) bool {
	a, b := &r.Requests[i], &r.Requests[j]
	if a.MergedAt != b.MergedAt {
		return a.MergedAt < b.MergedAt
	}
	return a.ID < b.ID
}

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
			if i, ok := m[o]; ok && (best < 0 || r.mergedBefore(int(i), int(best))) {
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
