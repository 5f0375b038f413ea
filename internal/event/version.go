package event

import (
	"reflect"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Bits of a version, from the highest: the instant, the rank of the status, a hash of the content.
const (
	rankBits = 3
	hashBits = 19
)

// Version orders the tellings of one fact: the highest one is what is known. It depends on the telling alone, so the
// same telling always has the same version and the order of arrival does not matter.
//
// The highest 42 bits are milliseconds since 1970 of ToldAt. Tellings of the same instant are ordered by how far the
// fact's story has come (3 bits: a finished deployment comes after a pending one), and where that is the same too, by 19
// bits of a hash of the content, which decides nothing but makes every process decide alike.
func Version(e Event) uint64 {
	var scratch [1024]byte
	version, _ := AppendVersion(scratch[:0], e)
	return version
}

// AppendVersion is Version with memory to work in, which it returns for the next call.
func AppendVersion(scratch []byte, e Event) (uint64, []byte) {
	told := uint64(min(max(ToldAt(e).UnixMilli(), 0), latestInstant))
	scratch = AppendJSON(scratch[:0], e)
	hash := xxhash.Sum64(scratch) & (1<<hashBits - 1)
	return told<<(rankBits+hashBits) | rank(e)<<hashBits | hash, scratch
}

// ToldAt is the instant from which a telling holds: updated_at, and without it the latest instant in the fact, where
// instants that may lie ahead (the end of an ownership, an expiry, the close of a survey) do not count. A fact without
// any is told at 1970: of two such tellings neither is newer, so facts that change and carry no instant of the change
// need updated_at.
func ToldAt(e Event) time.Time {
	latest := e.Common().UpdatedAt
	if latest.IsZero() {
		p := vocabulary.byKind[e.Kind()]
		v := reflect.ValueOf(e).Elem()
		for _, f := range p.fields {
			if f.form != instant || f.ahead {
				continue
			}
			if t := f.of(v).Addr().Interface().(*time.Time); t.After(latest) {
				latest = *t
			}
		}
	}
	if latest.IsZero() {
		return time.UnixMilli(0).UTC()
	}
	return latest
}

// rank says how far the story of a fact has come, from 0 to 7.
func rank(e Event) uint64 {
	switch e := e.(type) {
	case *Repository:
		return steps(!e.ArchivedAt.IsZero(), !e.DeletedAt.IsZero())
	case *Branch:
		return steps(!e.DeletedAt.IsZero())
	case *Commit:
		return steps(e.Paths != nil)
	case *ChangeRequest:
		return steps(!e.ClosedAt.IsZero(), !e.MergedAt.IsZero())
	case *PipelineRun:
		return statusRank(e.Status)
	case *Deployment:
		if e.Failed != nil {
			return statusRank(e.Status) + 1
		}
		return statusRank(e.Status)
	case *Incident:
		return steps(!e.AcknowledgedAt.IsZero(), !e.RestoredAt.IsZero(), !e.ResolvedAt.IsZero())
	case *Service:
		return steps(!e.RetiredAt.IsZero())
	case *Team:
		return steps(!e.RetiredAt.IsZero())
	case *Ownership:
		return steps(!e.To.IsZero())
	case *Membership:
		return steps(!e.To.IsZero())
	case *ProvisioningRequest:
		return statusRank(e.Status)
	case *SurveyInvitation:
		return steps(e.Bounced)
	}
	return 0
}

// steps is the number of the last step that was reached.
func steps(reached ...bool) uint64 {
	for i := len(reached); i > 0; i-- {
		if reached[i-1] {
			return uint64(i)
		}
	}
	return 0
}

// statusRank orders the statuses of runs and requests: waiting, running, ended without a result, ended, gone.
func statusRank(status string) uint64 {
	switch status {
	case "in_progress":
		return 1
	case "skipped", "cancelled":
		return 2
	case "failed":
		return 3
	case "succeeded", "ready":
		return 4
	case "deleted":
		return 6
	}
	return 0 // pending, queued, requested
}
