// Package ingest is the way of facts into the store: it takes events from collectors, over HTTP and from files, checks
// them, and returns when they are stored durably. It stands between collectors and the store and knows nothing of
// what the facts mean.
package ingest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/store"
)

// Config is what an operator may set about intake.
type Config struct {
	MaxBody       int64         `yaml:"max_body"`       // bytes of a request, unpacked
	MaxCompressed int64         `yaml:"max_compressed"` // bytes of a request as it comes, when it is packed
	MaxEvents     int           `yaml:"max_events"`     // events of a request
	MaxInsert     int           `yaml:"max_insert"`     // rows of several requests that go into one insert
	InsertTimeout time.Duration `yaml:"insert_timeout"` // how long one insert may take
}

// DefaultConfig returns limits that suit one machine.
func DefaultConfig() Config {
	return Config{
		MaxBody:       64 << 20,
		MaxCompressed: 32 << 20,
		MaxEvents:     100_000,
		MaxInsert:     200_000,
		InsertTimeout: time.Minute,
	}
}

// Intake stores events. It is safe for use from several goroutines.
type Intake struct {
	// Touched, when set before the first use, is called after each write with the number of stored events of each
	// kind. It is called by many goroutines and must not block.
	Touched func(counts map[string]int)
	// Failed, when set before the first use, hears of errors behind an answer that hides them.
	Failed func(r *http.Request, err error)

	cfg     Config
	store   *store.Store
	writers map[string]writer
	salt    salt
	inputs  sync.Pool // *input
}

// New checks cfg. Errors are fault.Invalid.
func New(cfg Config, st *store.Store) (*Intake, error) {
	for _, limit := range []struct {
		name string
		ok   bool
	}{
		{"max_body", cfg.MaxBody > 0},
		{"max_compressed", cfg.MaxCompressed > 0},
		{"max_events", cfg.MaxEvents > 0},
		{"max_insert", cfg.MaxInsert > 0},
		{"insert_timeout", cfg.InsertTimeout > 0},
	} {
		if !limit.ok {
			return nil, fault.New(fault.Invalid, "ingest.%s must be more than 0", limit.name)
		}
	}
	i := &Intake{cfg: cfg, store: st, salt: salt{store: st}}
	i.writers = i.newWriters()
	i.inputs.New = func() any { return newInput(cfg) }
	return i, nil
}

// Write checks the events of a batch and stores them: all are durable when it returns nil. After an error some may be
// stored; writing them again is harmless. The batch must not change meanwhile, and is not changed. Bad events are
// fault.Invalid with an *event.Errors as the cause, and then nothing is stored.
func (i *Intake) Write(ctx context.Context, b *event.Batch) error {
	var bad event.Errors
	for e := range b.All() {
		if errs := event.Validate(e); errs != nil {
			bad.List = append(bad.List, errs.List...)
		}
		if len(bad.List) >= event.MaxErrors {
			bad.List, bad.Stopped = bad.List[:event.MaxErrors], true
			break
		}
	}
	if len(bad.List) > 0 {
		return refusal(&bad)
	}
	return i.write(ctx, b)
}

// refusal is the fault that bad events are.
func refusal(bad *event.Errors) error { return fault.New(fault.Invalid, "%w", bad) }

// write stores checked events: each kind in its table, all at the same time.
func (i *Intake) write(ctx context.Context, b *event.Batch) error {
	counts := maps.Collect(b.Counts())
	if len(counts) == 0 {
		return nil
	}
	errs := make([]error, 0, len(counts))
	var mu sync.Mutex
	var all sync.WaitGroup
	for kind := range counts {
		all.Go(func() {
			if err := i.writers[kind](ctx, b); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("ingest.Write(%s): %w", kind, err))
			}
		})
	}
	all.Wait()
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return int(fault.KindOf(b)) - int(fault.KindOf(a)) })
		return errs[0]
	}
	if i.Touched != nil {
		i.Touched(counts)
	}
	return nil
}

// writer stores the events of one kind.
type writer func(ctx context.Context, b *event.Batch) error

func (i *Intake) newWriters() map[string]writer {
	return map[string]writer{
		event.KindRepository:          newWriter(i, repositoryTable(), func(b *event.Batch) []event.Repository { return b.Repositories }),
		event.KindBranch:              newWriter(i, branchTable(), func(b *event.Batch) []event.Branch { return b.Branches }),
		event.KindCommit:              newWriter(i, commitTable(), func(b *event.Batch) []event.Commit { return b.Commits }),
		event.KindChangeRequest:       newWriter(i, changeRequestTable(), func(b *event.Batch) []event.ChangeRequest { return b.ChangeRequests }),
		event.KindPipelineRun:         newWriter(i, pipelineRunTable(), func(b *event.Batch) []event.PipelineRun { return b.PipelineRuns }),
		event.KindArtifact:            newWriter(i, artifactTable(), func(b *event.Batch) []event.Artifact { return b.Artifacts }),
		event.KindTeam:                newWriter(i, teamTable(), func(b *event.Batch) []event.Team { return b.Teams }),
		event.KindPerson:              newWriter(i, personTable(), func(b *event.Batch) []event.Person { return b.People }),
		event.KindMembership:          newWriter(i, membershipTable(), func(b *event.Batch) []event.Membership { return b.Memberships }),
		event.KindService:             newWriter(i, serviceTable(), func(b *event.Batch) []event.Service { return b.Services }),
		event.KindOwnership:           newWriter(i, ownershipTable(), func(b *event.Batch) []event.Ownership { return b.Ownerships }),
		event.KindDeployment:          newWriter(i, deploymentTable(), func(b *event.Batch) []event.Deployment { return b.Deployments }),
		event.KindIncident:            newWriter(i, incidentTable(), func(b *event.Batch) []event.Incident { return b.Incidents }),
		event.KindProvisioningRequest: newWriter(i, provisioningRequestTable(), func(b *event.Batch) []event.ProvisioningRequest { return b.ProvisioningRequests }),
		event.KindCapabilityUse:       newWriter(i, capabilityUseTable(), func(b *event.Batch) []event.CapabilityUse { return b.CapabilityUses }),
		event.KindCapabilityExemption: newWriter(i, capabilityExemptionTable(), func(b *event.Batch) []event.CapabilityExemption { return b.CapabilityExemptions }),
		event.KindSurvey:              newWriter(i, surveyTable(), func(b *event.Batch) []event.Survey { return b.Surveys }),
		event.KindSurveyInvitation: newSaltedWriter(i, surveyInvitationTable(), func(b *event.Batch) []event.SurveyInvitation { return b.SurveyInvitations },
			func(e *event.SurveyInvitation) *string { return &e.Respondent }),
		event.KindSurveyResponse: newSaltedWriter(i, surveyResponseTable(), func(b *event.Batch) []event.SurveyResponse { return b.SurveyResponses },
			func(e *event.SurveyResponse) *string { return &e.Respondent }),
		event.KindSLO: newWriter(i, sloTable(), func(b *event.Batch) []event.SLO { return b.SLOs }),
	}
}

// pointer says that *T is an event.
type pointer[T any] interface {
	*T
	event.Event
}

func newWriter[T any, P pointer[T]](i *Intake, t table[T], of func(*event.Batch) []T) writer {
	l := newLane(i, t)
	return func(ctx context.Context, b *event.Batch) error {
		return l.pass(ctx, newRows[T, P](of(b)))
	}
}

// newSaltedWriter is newWriter for kinds that name a respondent, who is made unrecognisable before anything else.
func newSaltedWriter[T any, P pointer[T]](i *Intake, t table[T], of func(*event.Batch) []T, respondent func(*T) *string) writer {
	l := newLane(i, t)
	return func(ctx context.Context, b *event.Batch) error {
		key, err := i.salt.read(ctx)
		if err != nil {
			return err
		}
		events := slices.Clone(of(b))
		for n := range events {
			name := respondent(&events[n])
			*name = hidden(key, *name)
		}
		return l.pass(ctx, newRows[T, P](events))
	}
}

func newLane[T any](i *Intake, t table[T]) *lane[T] {
	return &lane[T]{most: i.cfg.MaxInsert, insert: func(ctx context.Context, groups []rows[T], n int) error {
		ctx, cancel := context.WithTimeout(ctx, i.cfg.InsertTimeout)
		defer cancel()
		err := t.insert(ctx, i.store, groups, n)
		if err != nil && ctx.Err() != nil {
			return fault.New(fault.Unavailable, "the store did not take %d rows within %s", n, i.cfg.InsertTimeout)
		}
		return err
	}}
}

// newRows dates the events.
func newRows[T any, P pointer[T]](events []T) rows[T] {
	r := rows[T]{events: events, versions: make([]uint64, len(events)), told: make([]time.Time, len(events))}
	var scratch []byte
	for n := range events {
		e := P(&events[n])
		r.versions[n], scratch = event.AppendVersion(scratch, e)
		r.told[n] = event.ToldAt(e)
	}
	return r
}
