package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"cairn/internal/store"
	"cairn/metrics"
)

// Intake is the ordinary way in: it takes newline-delimited JSON events and stores them.
type Intake func(ctx context.Context, st *store.Store, ndjson []byte) error

// Runner answers the expectations of cases by the ordinary way: intake, attribution, metrics.
type Runner struct {
	// Fresh returns an empty store and what to do when it is no longer needed.
	Fresh  func(ctx context.Context) (*store.Store, func() error, error)
	Intake Intake
}

// Tally counts expectations.
type Tally struct{ Passed, Failed int }

// Dir runs every case of a folder, writes each difference to out and says at the end how many expectations passed. A case
// that cannot be read or loaded fails with all that it expects, and the next one is run.
func (r *Runner) Dir(ctx context.Context, dir string, out io.Writer) (Tally, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return Tally{}, err
	}
	if len(paths) == 0 {
		return Tally{}, fmt.Errorf("%s: no *.json in this folder", dir)
	}
	slices.Sort(paths)
	var total Tally
	for _, path := range paths {
		t, err := r.file(ctx, path, out)
		if ctx.Err() != nil {
			return total, ctx.Err()
		}
		if err != nil {
			fmt.Fprintln(out, err)
		}
		total.Passed += t.Passed
		total.Failed += t.Failed
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", total.Passed, total.Failed)
	return total, nil
}

// file runs the case in one file. With an error, what was not answered counts as failed, and at least one does.
func (r *Runner) file(ctx context.Context, path string, out io.Writer) (Tally, error) {
	c, unknown, err := LoadNoting(path)
	if err != nil {
		return Tally{Failed: 1}, err
	}
	for _, key := range unknown {
		fmt.Fprintf(out, "%s: key %s is not in the format\n", filepath.Base(path), key)
	}
	t, err := r.Case(ctx, c, out)
	if err != nil {
		t.Failed = max(len(c.Expected)-t.Passed, t.Failed, 1)
		err = fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return t, err
}

// Case runs one case on a fresh store and writes a line for each difference.
func (r *Runner) Case(ctx context.Context, c Case, out io.Writer) (t Tally, err error) {
	asker, closing, err := r.Load(ctx, c)
	if err != nil {
		return t, err
	}
	defer func() {
		if cerr := closing(); err == nil {
			err = cerr
		}
	}()
	for n, x := range c.Expected {
		got, err := asker.Ask(ctx, x)
		if err != nil {
			fmt.Fprintf(out, "%s: expected[%d] %s of %s: %v\n", c.ID, n, x.Metric, x.Scope, err)
			t.Failed++
			continue
		}
		differences := Compare(x, got)
		for _, d := range differences {
			fmt.Fprintf(out, "%s: expected[%d] %s of %s, %s to %s: %s\n", c.ID, n, x.Metric, x.Scope, x.Window.From, x.Window.To, d)
		}
		if len(differences) == 0 {
			t.Passed++
		} else {
			t.Failed++
		}
	}
	return t, nil
}

// Asker answers expectations of one case.
type Asker struct {
	c       Case
	st      *store.Store
	engines map[string]*metrics.Engine
	last    string
}

// Load stores a case's history in a fresh store.
func (r *Runner) Load(ctx context.Context, c Case) (*Asker, func() error, error) {
	b, err := Facts(c)
	if err != nil {
		return nil, nil, err
	}
	var ndjson bytes.Buffer
	if _, err := b.WriteTo(&ndjson); err != nil {
		return nil, nil, err
	}
	st, closing, err := r.Fresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	if b.Len() > 0 {
		if err := r.Intake(ctx, st, ndjson.Bytes()); err != nil {
			closing()
			return nil, nil, fmt.Errorf("case %s: %w", c.ID, err)
		}
	}
	return &Asker{c: c, st: st, engines: map[string]*metrics.Engine{}}, closing, nil
}

// Config turns the settings of a case into those of the engine.
func Config(c Case, s Settings) metrics.Config {
	cfg := metrics.DefaultConfig()
	a := &cfg.Attribution
	a.NegativeTolerance = seconds(s.NegativeToleranceSeconds)
	a.RolloutWindow = seconds(3600 * s.RolloutWindowHours)
	a.InferRollback, a.InferRevert, a.InferHotfix = s.FailureInference.Rollback, s.FailureInference.Revert, s.FailureInference.Hotfix
	a.HotfixWindow = seconds(3600 * s.FailureInference.HotfixWindowHours)
	if m := s.FailureInference.IncidentWindowMinutes; m != nil {
		a.IncidentWindow = seconds(60 * *m)
	}
	a.Cutoff = c.AsOf
	cfg.IncludeBots = s.IncludeBotsInLeadTime
	cfg.FirstDeployment = s.TTFDStart
	cfg.AnonymityK = max(s.AnonymityK, 3)
	cfg.SignalTTL = seconds(86400 * s.AdoptionSignalTTLDays)
	cfg.TeamThreshold = s.TeamAdoptionThreshold
	capabilities := map[string]bool{}
	for _, x := range c.Events.AdoptionSignals {
		capabilities[x.Capability] = true
	}
	for _, x := range c.Events.AdoptionExemptions {
		capabilities[x.Capability] = true
	}
	cfg.Capabilities = slices.Sorted(maps.Keys(capabilities))
	return cfg
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (a *Asker) engine(ctx context.Context, override map[string]any) (*metrics.Engine, error) {
	s, err := a.c.Settings.Override(override)
	if err != nil {
		return nil, err
	}
	cfg := Config(a.c, s)
	key := fmt.Sprintf("%+v", cfg)
	e := a.engines[key]
	if e == nil {
		if e, err = metrics.New(cfg, a.st, func() time.Time { return a.c.AsOf }, slog.New(slog.DiscardHandler)); err != nil {
			return nil, err
		}
		a.engines[key] = e
	}
	if a.last != key {
		a.last = key
		return e, e.Rebuild(ctx)
	}
	return e, nil
}

// named are the metrics of the catalogue behind the names that cases use where the two differ.
var named = map[string]metrics.Request{
	"deployments_per_week_service_median":    {Metric: "deployments_per_week", Statistic: metrics.StatisticTypicalService},
	"deploy_days_per_week_median":            {Metric: "deploy_days_per_week"},
	"lead_time_p50":                          {Metric: "lead_time", Statistic: metrics.StatisticP50},
	"lead_time_p75":                          {Metric: "lead_time", Statistic: metrics.StatisticP75},
	"lead_time_p90":                          {Metric: "lead_time", Statistic: metrics.StatisticP90},
	"lead_time_service_median_p50":           {Metric: "lead_time", Statistic: metrics.StatisticTypicalService},
	"lead_time_n":                            {Metric: "lead_time"},
	"lead_time_excluded_negative":            {Metric: "lead_time"},
	"lead_time_stage_p50":                    {Metric: "lead_time", Statistic: metrics.StatisticP50},
	"change_failure_rate_ci95":               {Metric: "change_failure_rate"},
	"csat_ci95":                              {Metric: "csat"},
	"enps_ci95":                              {Metric: "enps"},
	"failed_deployment_recovery_p50":         {Metric: "failed_deployment_recovery", Statistic: metrics.StatisticP50},
	"failed_deployment_recovery_p90":         {Metric: "failed_deployment_recovery", Statistic: metrics.StatisticP90},
	"failed_deployment_unresolved":           {Metric: "failed_deployment_recovery"},
	"time_to_restore_p50":                    {Metric: "time_to_restore", Statistic: metrics.StatisticP50},
	"time_to_first_deployment_service_p50":   {Metric: "time_to_first_deployment_service"},
	"time_to_first_deployment_service_n":     {Metric: "time_to_first_deployment_service"},
	"time_to_first_deployment_developer_p50": {Metric: "time_to_first_deployment_developer"},
	"time_to_first_deployment_developer_n":   {Metric: "time_to_first_deployment_developer"},
	"adoption_counts":                        {Metric: "adoption_rate"},
}

// Ask answers one expectation.
func (a *Asker) Ask(ctx context.Context, x Expectation) (Answer, error) {
	e, err := a.engine(ctx, x.SettingsOverride)
	if err != nil {
		return Answer{}, err
	}
	r, ok := named[x.Metric]
	if !ok {
		r.Metric = x.Metric
	}
	if r.Window, err = metrics.ParseWindow(x.Window.From, x.Window.To, x.TimeZone); err != nil {
		return Answer{}, err
	}
	if r.Bucket, err = metrics.ParseBucket(x.Bucket); err != nil {
		return Answer{}, err
	}
	r.Scope = metrics.Scope{Service: x.Scope.Service, Team: x.Scope.Team, Organisation: x.Scope.Org}
	r.Stage, r.Capability, r.Survey, r.Question = x.Stage, x.Capability, x.Survey, x.Question
	r.AsOf = a.c.AsOf
	if x.Metric == "failed_deployments" {
		ids, err := e.FailedDeployments(ctx, r)
		return Answer{Value: ids}, err
	}
	res, err := e.Query(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	var out Answer
	if out.N, err = whole(res.N); err != nil {
		out.N = nil
	}
	if o, ok := res.Parts["other_suppressed"].(int64); ok {
		n := int(o)
		out.OtherSuppressed = &n
	}
	if x.Bucket == "" {
		out.Value = part(x.Metric, res.Value, res.N, res.Interval, res.Parts)
		return out, nil
	}
	values := []any{}
	for _, p := range res.Series {
		values = append(values, part(x.Metric, p.Value, p.N, p.Interval, p.Parts))
		out.BucketLabels = append(out.BucketLabels, p.Label)
		out.Partial = append(out.Partial, p.Partial)
	}
	out.Value = values
	return out, nil
}

func whole(n any) (*int, error) {
	v, ok := n.(int64)
	if !ok {
		return nil, fmt.Errorf("n is %v", n)
	}
	i := int(v)
	return &i, nil
}

// part picks what a case's metric is of an answer.
func part(metric string, value, n any, interval *[2]float64, parts map[string]any) any {
	switch metric {
	case "lead_time_n":
		return n
	case "lead_time_excluded_negative":
		if n == nil {
			return nil
		}
		return orZero(parts["excluded_negative"])
	case "failed_deployment_unresolved":
		return parts["unresolved"]
	case "change_failure_rate_ci95", "csat_ci95", "enps_ci95":
		if value == metrics.Suppressed {
			return value
		}
		if interval == nil {
			return nil
		}
		return []float64{interval[0], interval[1]}
	case "time_to_first_deployment_service_n":
		return only(parts, "cohort", "deployed", "censored", "excluded_imported")
	case "time_to_first_deployment_developer_n":
		return only(parts, "cohort", "deployed", "censored")
	case "adoption_counts":
		return only(parts, "eligible", "golden", "own", "unknown", "escape_hatch")
	}
	return value
}

func orZero(v any) any {
	if v == nil {
		return 0
	}
	return v
}

func only(parts map[string]any, names ...string) map[string]any {
	m := map[string]any{}
	for _, name := range names {
		m[name] = orZero(parts[name])
	}
	return m
}
