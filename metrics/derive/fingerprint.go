package derive

import (
	"encoding/binary"
	"hash/maphash"

	"cairn/metrics/attribution"
)

// fingerprint tells rows apart: equal ones have equal sums, and others almost certainly not. It is used for one row
// after the other.
type fingerprint struct{ h maphash.Hash }

func newFingerprint(seed maphash.Seed) *fingerprint {
	f := &fingerprint{}
	f.h.SetSeed(seed)
	return f
}

// sum ends a row.
func (f *fingerprint) sum() uint64 {
	s := f.h.Sum64()
	f.h.Reset()
	return s
}

func (f *fingerprint) numbers(list ...int64) {
	var b [8]byte
	for _, n := range list {
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		f.h.Write(b[:])
	}
}

func (f *fingerprint) texts(list ...string) {
	for _, s := range list {
		f.numbers(int64(len(s)))
		f.h.WriteString(s)
	}
}

// list writes texts so that where it ends is part of it.
func (f *fingerprint) list(list []string) {
	f.numbers(int64(len(list)))
	f.texts(list...)
}

func (f *fingerprint) flags(list ...bool) {
	for _, b := range list {
		if b {
			f.h.WriteByte(1)
		} else {
			f.h.WriteByte(0)
		}
	}
}

func (f *fingerprint) run(r *attribution.Run) uint64 {
	f.texts(r.ID, r.Environment, r.Target, r.Status, r.Artifact, r.VersionName, r.Way, r.URL, r.Source, r.FoundBy)
	f.numbers(r.StartedAt, r.FinishedAt, int64(len(r.Revisions)))
	for _, rev := range r.Revisions {
		f.texts(rev.Repository, rev.SHA, rev.PreviousSHA)
	}
	f.flags(r.Rollback, r.Hotfix, r.Unplanned, r.Verdict != nil, r.Verdict != nil && *r.Verdict)
	f.list(r.Remediates)
	f.list(r.RemediatesIncidents)
	return f.sum()
}

// deployment is about all that the row of a deployment has beside its key and its owners.
func (f *fingerprint) deployment(d *attribution.Deployment, r *attribution.Run, o *attribution.Outcome) uint64 {
	f.texts(d.Kind, r.VersionName, r.Way, r.URL, o.Rule, o.RestoredBy, o.ReworkRule)
	f.numbers(r.StartedAt, d.CompletedAt, int64(d.Commits), int64(d.Changes), o.RestoredAt)
	f.flags(d.Baseline, o.Failed, o.Rework)
	f.list(d.Targets)
	f.list(d.Flags)
	f.list(o.By)
	f.list(o.ReworkOf)
	return f.sum()
}

func (f *fingerprint) waiting(c *attribution.Waiting) {
	f.texts(c.ID, c.Kind, c.Author, c.URL)
	f.numbers(c.Start, c.MergedAt)
	f.flags(c.Bot)
}
