// Package conformance reads worked cases: a small history of events together with the answers that somebody computed
// by hand from the definitions of the metrics. It stands outside the data's way: a runner sends the events in at its
// beginning and compares what comes out at its end. The package reference is a second, slow and literal reading of the
// same definitions.
package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Case is one history with its expected answers. Instants are UTC; the zero time stands for null.
type Case struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Reason   string        `json:"reason"`
	Working  string        `json:"working"`
	AsOf     time.Time     `json:"as_of"` // the computation's now: later events are unknown
	Settings Settings      `json:"settings"`
	Events   Events        `json:"events"`
	Expected []Expectation `json:"expected"`
}

// Settings are the complete effective settings of a case. The texts describe the definition and choose nothing.
type Settings struct {
	TimeZone                 string           `json:"time_zone"`
	QuantileMethod           string           `json:"quantile_method"`
	LeadTimeUnit             string           `json:"lead_time_unit"`
	LeadTimeStart            string           `json:"lead_time_start"`
	LeadTimeEnd              string           `json:"lead_time_end"`
	NegativeToleranceSeconds float64          `json:"negative_tolerance_seconds"`
	IncludeBotsInLeadTime    bool             `json:"include_bots_in_lead_time"`
	MonorepoNoopDeploys      string           `json:"monorepo_noop_deploys"`
	RolloutWindowHours       float64          `json:"rollout_window_hours"`
	FailureInference         FailureInference `json:"failure_inference"`
	TTFDStart                string           `json:"ttfd_start"` // created_at or idea_at
	AnonymityK               int              `json:"anonymity_k"`
	AdoptionSignalTTLDays    float64          `json:"adoption_signal_ttl_days"`
	TeamAdoptionThreshold    float64          `json:"team_adoption_threshold"`
	Z                        float64          `json:"z"`
}

// FailureInference says by which rules a failure is inferred where nobody reported one.
type FailureInference struct {
	Rollback              bool     `json:"rollback"`
	Revert                bool     `json:"revert"`
	Hotfix                bool     `json:"hotfix"`
	HotfixWindowHours     float64  `json:"hotfix_window_hours"`
	IncidentWindowMinutes *float64 `json:"incident_window_minutes"` // nil: no inference from incidents
}

// Override returns the settings with the given ones merged in. A nested setting is named by nesting or by a dotted
// name, such as failure_inference.incident_window_minutes. A setting that does not exist is an error.
func (s Settings) Override(changes map[string]any) (Settings, error) {
	for name, value := range changes {
		path := strings.Split(name, ".")
		for i := len(path) - 1; i >= 0; i-- {
			value = map[string]any{path[i]: value}
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return Settings{}, fmt.Errorf("setting %s: %w", name, err)
		}
		if unknown := unknownKeys(raw, Settings{}); len(unknown) > 0 {
			return Settings{}, fmt.Errorf("setting %s: there is no such setting", strings.Join(unknown, ", "))
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return Settings{}, fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return s, nil
}

// Expectation is one question with its answer.
type Expectation struct {
	Metric           string         `json:"metric"`
	Scope            Scope          `json:"scope"`
	Window           Window         `json:"window"`
	TimeZone         string         `json:"time_zone"`
	Value            any            `json:"value"` // float64, nil, "suppressed", "no_data", []any or map[string]any
	Unit             string         `json:"unit"`
	Bucket           string         `json:"bucket,omitempty"` // day, iso_week or month: the value is a series
	BucketLabels     []string       `json:"bucket_labels,omitempty"`
	Partial          []bool         `json:"partial,omitempty"`
	Stage            string         `json:"stage,omitempty"`
	Capability       string         `json:"capability,omitempty"`
	Survey           string         `json:"survey,omitempty"`
	Question         string         `json:"question,omitempty"`
	N                *int           `json:"n,omitempty"`
	OtherSuppressed  *int           `json:"other_suppressed,omitempty"`
	SettingsOverride map[string]any `json:"settings_override,omitempty"`
	CommonWrong      []Mistake      `json:"common_wrong,omitempty"`
	Note             string         `json:"note,omitempty"`
}

// Mistake is a wrong answer together with the way to get it.
type Mistake struct {
	Value   any    `json:"value"`
	Mistake string `json:"mistake"`
}

// Scope is what a question is about: exactly one of its fields is set.
type Scope struct {
	Service string `json:"service,omitempty"` // id or alias
	Team    string `json:"team,omitempty"`
	Org     bool   `json:"org,omitempty"`
}

// String names the scope as in "service checkout".
func (s Scope) String() string {
	switch {
	case s.Service != "":
		return "service " + s.Service
	case s.Team != "":
		return "team " + s.Team
	}
	return "org"
}

// Window is a half-open span of local wall-clock time, such as 2026-02-02T00:00.
type Window struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// In returns the window's instants in the IANA zone.
func (w Window) In(zone string) (from, to time.Time, err error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return from, to, err
	}
	if from, err = wallClock(w.From, location); err != nil {
		return from, to, err
	}
	to, err = wallClock(w.To, location)
	return from, to, err
}

func wallClock(text string, location *time.Location) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04", time.DateOnly + "T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a wall-clock time such as 2026-02-02T00:00", text)
}
