package conformance

import (
	"encoding/json"
	"time"
)

// Events is the history of a case.
type Events struct {
	Repos              []Repo        `json:"repos,omitempty"`
	Commits            []Commit      `json:"commits,omitempty"`
	PullRequests       []PullRequest `json:"pull_requests,omitempty"`
	Deployments        []Deployment  `json:"deployments,omitempty"`
	Incidents          []Incident    `json:"incidents,omitempty"`
	Services           []Service     `json:"services,omitempty"`
	Ownership          []Ownership   `json:"ownership,omitempty"`
	Teams              []Team        `json:"teams,omitempty"`
	People             []Person      `json:"people,omitempty"`
	AdoptionSignals    []Signal      `json:"adoption_signals,omitempty"`
	AdoptionExemptions []Exemption   `json:"adoption_exemptions,omitempty"`
	Surveys            []Survey      `json:"surveys,omitempty"`
	SLOs               []SLO         `json:"slos,omitempty"`
}

// Repo is a repository; a deleted one keeps its history.
type Repo struct {
	ID        string    `json:"id"`
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

// Commit is a commit; its sha is unique within its repository.
type Commit struct {
	SHA              string    `json:"sha"`
	Repo             string    `json:"repo"`
	Parents          []string  `json:"parents"`
	Author           string    `json:"author"`
	AuthorTime       time.Time `json:"author_time"`
	CommitTime       time.Time `json:"commit_time"`
	Paths            []string  `json:"paths"`
	CherryPickedFrom string    `json:"cherry_picked_from,omitempty"` // sha
	Reverts          string    `json:"reverts,omitempty"`            // sha
}

// PullRequest is a pull request: Commits are the original shas of the head branch, Landed those that the merge put
// on the base branch.
type PullRequest struct {
	ID            string    `json:"id"`
	Repo          string    `json:"repo"`
	Author        string    `json:"author"`
	MergeMethod   string    `json:"merge_method"` // squash, rebase, merge
	CreatedAt     time.Time `json:"created_at,omitzero"`
	ReadyAt       time.Time `json:"ready_at,omitzero"`
	FirstReviewAt time.Time `json:"first_review_at,omitzero"`
	MergedAt      time.Time `json:"merged_at,omitzero"`
	Commits       []string  `json:"commits"`
	Landed        []string  `json:"landed"`
}

// Deployment is one telling of one run: of several with the same id the latest UpdatedAt counts, then the last row.
type Deployment struct {
	ID                  string            `json:"id"`
	Service             string            `json:"service"` // id or alias
	Environment         string            `json:"environment"`
	Target              string            `json:"target"` // region, cluster
	Status              string            `json:"status"`
	StartedAt           time.Time         `json:"started_at,omitzero"`
	FinishedAt          time.Time         `json:"finished_at,omitzero"`
	Revisions           map[string]string `json:"revisions"` // repository to sha
	UpdatedAt           time.Time         `json:"updated_at,omitzero"`
	IsHotfix            bool              `json:"is_hotfix,omitempty"`
	IsRollback          bool              `json:"is_rollback,omitempty"`
	Unplanned           bool              `json:"unplanned,omitempty"`
	Remediates          []string          `json:"remediates,omitempty"`           // deployment ids
	RemediatesIncidents []string          `json:"remediates_incidents,omitempty"` // incident ids
	Pipeline            string            `json:"pipeline,omitempty"`             // golden or own
}

// Incident is a degradation of a service.
type Incident struct {
	ID                 string    `json:"id"`
	Service            string    `json:"service"`
	StartedAt          time.Time `json:"started_at"`
	RestoredAt         time.Time `json:"restored_at,omitzero"` // service back
	ResolvedAt         time.Time `json:"resolved_at,omitzero"` // ticket closed
	CausedByDeployment string    `json:"caused_by_deployment,omitempty"`
	Cause              string    `json:"cause"` // deployment, external, unknown
}

// Service is one thing that teams deploy.
type Service struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Aliases    []string      `json:"aliases"`
	Lifecycle  string        `json:"lifecycle"`
	CreatedAt  time.Time     `json:"created_at,omitzero"`
	IdeaAt     time.Time     `json:"idea_at,omitzero"`
	RetiredAt  time.Time     `json:"retired_at,omitzero"`
	CreatedVia string        `json:"created_via,omitempty"`
	Repos      []ServiceRepo `json:"repos"`
}

// ServiceRepo is a repository of a service; nil Paths stand for the whole of it.
type ServiceRepo struct {
	Repo  string   `json:"repo"`
	Paths []string `json:"paths"`
}

// Ownership says which team owned a service during [From, To).
type Ownership struct {
	Service string    `json:"service"`
	Team    string    `json:"team"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
}

// Team is a team. It may be written as its id alone.
type Team struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Parent string `json:"parent,omitempty"`
}

// UnmarshalJSON reads a team or its id.
func (t *Team) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &t.ID) == nil {
		return nil
	}
	type team Team
	return json.Unmarshal(raw, (*team)(t))
}

// Person is a person or a machine that writes commits.
type Person struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Bot      bool   `json:"bot"`
	FirstDay string `json:"first_day,omitempty"` // local date
	Team     string `json:"team,omitempty"`
}

// Signal is evidence of how a service covers a capability: golden, own or none.
type Signal struct {
	Service    string    `json:"service"`
	Capability string    `json:"capability"`
	State      string    `json:"state"`
	ObservedAt time.Time `json:"observed_at"`
}

// Exemption is a decision, not_applicable or escape_hatch, valid during [ApprovedAt, ExpiresAt).
type Exemption struct {
	Service    string    `json:"service"`
	Capability string    `json:"capability"`
	Type       string    `json:"type"`
	ApprovedAt time.Time `json:"approved_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
}

// Survey is one wave of a survey, open during [OpensAt, ClosesAt).
type Survey struct {
	ID        string            `json:"id"`
	OpensAt   time.Time         `json:"opens_at"`
	ClosesAt  time.Time         `json:"closes_at"`
	Questions map[string]string `json:"questions"` // id to type: csat_1_5, nps_0_10, multi_select, text
	Groups    []Group           `json:"groups,omitempty"`
	Invites   []Invite          `json:"invites,omitempty"`
	Responses []Response        `json:"responses,omitempty"`
}

// Group is a node of the tree along which answers are reported.
type Group struct {
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"`
}

// Invite asks one respondent to answer.
type Invite struct {
	Respondent string `json:"respondent"`
	Group      string `json:"group"`
	Bounced    bool   `json:"bounced"`
}

// Response is one submission. An answer is a number, a text, a list of ticked options, or nil: left empty.
type Response struct {
	Respondent  string             `json:"respondent"`
	SubmittedAt time.Time          `json:"submitted_at"`
	Answers     map[string]any     `json:"answers"`
	Severity    map[string]float64 `json:"severity,omitempty"` // option to 1..5
}

// SLO is one measured objective; it may have no id. Target keeps its decimal digits, since "exactly on target" counts as met.
type SLO struct {
	ID      string      `json:"id"`
	Service string      `json:"service"`
	Target  json.Number `json:"target"`
	Good    int64       `json:"good"`
	Total   int64       `json:"total"`
}
