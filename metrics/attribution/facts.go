package attribution

import "math"

// Times in this package are milliseconds since 1970 in UTC; Absent is no time.
const Absent = math.MinInt64

// Statuses and kinds of runs.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	Cancelled = "cancelled"

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
	Source              string // who told it
	FoundBy             string // the rule by which the commit was found
}

// before is the order in which runs change what is live.
func (r *Run) before(o *Run) bool {
	if r.FinishedAt != o.FinishedAt {
		return r.FinishedAt < o.FinishedAt
	}
	return r.ID < o.ID
}

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
