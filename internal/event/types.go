// Package event is the one vocabulary in which facts reach cairn: what a collector emits, what a client posts and
// what intake stores. Each type is one kind of fact; its struct is the single source of its JSON form, of the
// published JSON Schema and of the messages about bad input.
//
// Conventions. Instants are RFC 3339 with a zone and are kept in UTC with milliseconds; the zero time means "not
// (yet) known". A fact is identified by the fields tagged `key:"true"`; of two tellings of one fact the one with the
// later version wins (see Version), in whatever order they arrive.
//
// Tags: `json` names the field; `check` is a list of required (refuse a fact without it), date (YYYY-MM-DD) and zone
// (an IANA time zone); `enum` lists the allowed values; `min` and `max` bound a number, `above` bounds it exclusively;
// `length` is the most characters of a text (default 4096); `items` is the most elements of a list (default 10000);
// `ahead` marks an instant that may lie in the future, so that it never dates the telling (see Version); `key` marks
// the identity; `doc` is the description that the schema publishes.
package event

import "time"

// Event is a fact of one of the kinds in this package.
type Event interface {
	// Kind is the value of the JSON field "type".
	Kind() string
	// Common returns the fields that every fact has.
	Common() *Telling
}

// Telling is what every fact carries about how it was told.
type Telling struct {
	Source    string    `json:"source" doc:"who tells: the collector or system, such as git or github:acme; part of the identity where ids are only unique within a system"`
	UpdatedAt time.Time `json:"updated_at" doc:"when the telling system last changed this fact; of two tellings the later wins; default: the latest instant in the fact that lies in the past of the fact's own story"`
}

// Common implements Event.
func (t *Telling) Common() *Telling { return t }

// Kinds of facts, as written in the JSON field "type".
const (
	KindRepository          = "repository"
	KindBranch              = "branch"
	KindCommit              = "commit"
	KindChangeRequest       = "change_request"
	KindPipelineRun         = "pipeline_run"
	KindArtifact            = "artifact"
	KindDeployment          = "deployment"
	KindIncident            = "incident"
	KindService             = "service"
	KindOwnership           = "ownership"
	KindTeam                = "team"
	KindPerson              = "person"
	KindMembership          = "membership"
	KindProvisioningRequest = "provisioning_request"
	KindCapabilityUse       = "capability_use"
	KindCapabilityExemption = "capability_exemption"
	KindSurvey              = "survey"
	KindSurveyInvitation    = "survey_invitation"
	KindSurveyResponse      = "survey_response"
	KindSLO                 = "slo"
)

// Repository is a version-controlled repository. A deleted repository keeps its history.
type Repository struct {
	Telling
	ID            string    `json:"id" key:"true" check:"required" doc:"stable id, such as acme/shop"`
	Name          string    `json:"name"`
	DefaultBranch string    `json:"default_branch"`
	URL           string    `json:"url"`
	Shallow       bool      `json:"shallow" doc:"the history known here is cut off at its old end"`
	ArchivedAt    time.Time `json:"archived_at"`
	DeletedAt     time.Time `json:"deleted_at"`
}

// Branch is the head of a branch at the time of telling.
type Branch struct {
	Telling
	Repository string    `json:"repository" key:"true" check:"required"`
	Name       string    `json:"name" key:"true" check:"required"`
	SHA        string    `json:"sha" check:"required" doc:"the commit the branch points to"`
	Default    bool      `json:"default" doc:"what is reachable from here counts as merged"`
	DeletedAt  time.Time `json:"deleted_at"`
}

// Commit is one commit. Authored and committed times may differ: rebasing and cherry-picking keep the former.
type Commit struct {
	Telling
	Repository       string    `json:"repository" key:"true" check:"required"`
	SHA              string    `json:"sha" key:"true" check:"required"`
	Parents          []string  `json:"parents" doc:"shas of the parents, first parent first" items:"1000"`
	Author           string    `json:"author" doc:"the person's id, or an e-mail address or login that a person fact lists among its aliases"`
	Bot              bool      `json:"bot" doc:"written by a machine"`
	AuthoredAt       time.Time `json:"authored_at" check:"required"`
	CommittedAt      time.Time `json:"committed_at" check:"required"`
	Paths            []string  `json:"paths" doc:"files touched against the first parent; leave out when not known" items:"200000"`
	Subject          string    `json:"subject" length:"65536"`
	CherryPickedFrom string    `json:"cherry_picked_from" doc:"sha this commit is a copy of"`
	Reverts          string    `json:"reverts" doc:"sha that this commit undoes"`
}

// ChangeRequest is a pull request or merge request.
type ChangeRequest struct {
	Telling
	Repository    string    `json:"repository" key:"true" check:"required"`
	ID            string    `json:"id" key:"true" check:"required" doc:"number, unique within the repository"`
	Author        string    `json:"author"`
	Title         string    `json:"title" length:"65536"`
	BaseBranch    string    `json:"base_branch"`
	CreatedAt     time.Time `json:"created_at" check:"required"`
	FirstCommitAt time.Time `json:"first_commit_at" doc:"earliest original commit, for producers that do not send the original commits as facts"`
	ReadyAt       time.Time `json:"ready_at" doc:"when it left draft; default: opened"`
	FirstReviewAt time.Time `json:"first_review_at" doc:"first review by a person other than the author"`
	ApprovedAt    time.Time `json:"approved_at"`
	MergedAt      time.Time `json:"merged_at"`
	ClosedAt      time.Time `json:"closed_at" doc:"closed without merging"`
	MergeMethod   string    `json:"merge_method" enum:"merge,squash,rebase,fast_forward"`
	Commits       []string  `json:"commits" doc:"original shas on the head branch" items:"100000"`
	Landed        []string  `json:"landed" doc:"shas the merge put on the base branch: merge, squash or rebased commits" items:"100000"`
	Labels        []string  `json:"labels"`
	Additions     int64     `json:"additions" min:"0"`
	Deletions     int64     `json:"deletions" min:"0"`
	URL           string    `json:"url"`
}

// PipelineRun is one attempt of a continuous-integration pipeline.
type PipelineRun struct {
	Telling
	Repository string    `json:"repository" key:"true" check:"required"`
	ID         string    `json:"id" key:"true" check:"required"`
	Attempt    int64     `json:"attempt" key:"true" doc:"1 for the first; default 1" min:"1"`
	Name       string    `json:"name"`
	SHA        string    `json:"sha"`
	Ref        string    `json:"ref"`
	Status     string    `json:"status" check:"required" enum:"queued,in_progress,succeeded,failed,cancelled,skipped"`
	QueuedAt   time.Time `json:"queued_at"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Template   string    `json:"template" doc:"the shared pipeline it was built from"`
	Way        string    `json:"way" enum:"golden_path,own,manual"`
	URL        string    `json:"url"`
}

// Artifact is something built from one commit that can be deployed: an image, a package, a release. Deployments that name
// it and no commit carry that commit.
type Artifact struct {
	Telling
	ID          string    `json:"id" key:"true" check:"required" doc:"what deployments call it: an image such as ghcr.io/acme/shop:v1.4.2, or its digest; acme/shop:v1.4.2 for a release"`
	Digest      string    `json:"digest" doc:"immutable digest, such as sha256:…"`
	Version     string    `json:"version" doc:"what people call it, such as v1.4.2"`
	Repository  string    `json:"repository" check:"required" doc:"the repository that it was built from"`
	SHA         string    `json:"sha" check:"required" doc:"the commit that it was built from"`
	BuiltAt     time.Time `json:"built_at"`
	PipelineRun string    `json:"pipeline_run"`
	URL         string    `json:"url"`
}

// Revision says which commit of one repository a deployment carried.
type Revision struct {
	Repository  string `json:"repository" check:"required"`
	SHA         string `json:"sha" check:"required"`
	PreviousSHA string `json:"previous_sha" doc:"what was live before, when the producer knows; lets even a first known deployment ship changes"`
	Role        string `json:"role" enum:"source,config" doc:"source (default) or config repository"`
	Rule        string `json:"rule" enum:"commit,origin_revision,image_label" doc:"where the producer has the commit from: the deployment itself (default), the origin of the configuration, or the label of the image"`
}

// Deployment is one run that tried to bring a version of a service to an environment. Only a succeeded run changes
// what is live.
type Deployment struct {
	Telling
	Service             string     `json:"service" key:"true" check:"required" doc:"id or alias of the service"`
	ID                  string     `json:"id" key:"true" check:"required"`
	Attempt             int64      `json:"attempt" key:"true" doc:"1 for the first; default 1" min:"1"`
	Environment         string     `json:"environment" check:"required" doc:"free text, such as prod-eu"`
	Tier                string     `json:"tier" enum:"production,staging,testing,development,other" doc:"default: read from the environment's name"`
	Target              string     `json:"target" doc:"region, cluster or customer"`
	Status              string     `json:"status" check:"required" enum:"pending,in_progress,succeeded,failed,cancelled,skipped"`
	CreatedAt           time.Time  `json:"created_at"`
	StartedAt           time.Time  `json:"started_at"`
	FinishedAt          time.Time  `json:"finished_at" doc:"required once the status is succeeded or failed"`
	Revisions           []Revision `json:"revisions" items:"1000"`
	Version             string     `json:"version" doc:"what people call it, such as v1.4.2"`
	Artifact            string     `json:"artifact" doc:"immutable digest of what was deployed; when given it is the version's identity"`
	Images              []string   `json:"images" items:"1000" doc:"images that were deployed, such as ghcr.io/acme/shop:v1.4.2; the commit is found by them where no revision tells it"`
	Rollback            bool       `json:"rollback" doc:"the producer says that this goes back to an earlier version"`
	Hotfix              bool       `json:"hotfix"`
	Unplanned           bool       `json:"unplanned"`
	Remediates          []string   `json:"remediates" doc:"ids of deployments of the same service whose failure this one repairs"`
	RemediatesIncidents []string   `json:"remediates_incidents"`
	Failed              *bool      `json:"failed" doc:"a person's verdict: true, this change failed in production; false, it did not, whatever is inferred"`
	Way                 string     `json:"way" enum:"golden_path,own,manual"`
	Tool                string     `json:"tool"`
	Actor               string     `json:"actor"`
	PipelineRun         string     `json:"pipeline_run"`
	URL                 string     `json:"url"`
}

// Incident is a degradation of service that people had to look at.
type Incident struct {
	Telling
	ID                 string    `json:"id" key:"true" check:"required"`
	Service            string    `json:"service" doc:"id or alias; leave out when no one service is affected"`
	Title              string    `json:"title" length:"65536"`
	Severity           string    `json:"severity"`
	StartedAt          time.Time `json:"started_at" check:"required"`
	DetectedAt         time.Time `json:"detected_at"`
	AcknowledgedAt     time.Time `json:"acknowledged_at"`
	RestoredAt         time.Time `json:"restored_at" doc:"users are served again"`
	ResolvedAt         time.Time `json:"resolved_at" doc:"the ticket is closed"`
	Cause              string    `json:"cause" enum:"deployment,external,unknown"`
	CausedByDeployment string    `json:"caused_by_deployment" doc:"id of a deployment of the same service"`
	FixedByDeployment  string    `json:"fixed_by_deployment"`
	URL                string    `json:"url"`
}

// ServiceRepository is one repository, or part of one, that a service is built from.
type ServiceRepository struct {
	Repository  string   `json:"repository" check:"required"`
	Paths       []string `json:"paths" doc:"the service's own part: path prefixes by segment (web matches web/x, not webapp/x) or globs; leave out for the whole repository"`
	SharedPaths []string `json:"shared_paths" doc:"parts used by several services; a commit there is a change of each"`
}

// Service is one thing that teams deploy and people depend on.
type Service struct {
	Telling
	ID            string              `json:"id" key:"true" check:"required" doc:"stable id; a rename adds an alias"`
	Name          string              `json:"name"`
	Description   string              `json:"description" length:"65536"`
	Aliases       []string            `json:"aliases"`
	System        string              `json:"system"`
	Lifecycle     string              `json:"lifecycle" enum:"experimental,production,deprecated" doc:"default production"`
	Tier          string              `json:"tier"`
	CreatedAt     time.Time           `json:"created_at" doc:"first of provisioning request, catalogue registration, repository creation"`
	IdeaAt        time.Time           `json:"idea_at" doc:"start of the linked idea or epic"`
	RetiredAt     time.Time           `json:"retired_at"`
	CreatedVia    string              `json:"created_via" enum:"golden_path,manual,other"`
	Template      string              `json:"template" doc:"golden-path template it was created from"`
	Repositories  []ServiceRepository `json:"repositories"`
	Dependencies  []string            `json:"dependencies"`
	Tags          []string            `json:"tags"`
	Documentation string              `json:"documentation" doc:"link"`
	URL           string              `json:"url"`
}

// Ownership says which team owned a service during [from, to).
type Ownership struct {
	Telling
	Service string    `json:"service" key:"true" check:"required"`
	Team    string    `json:"team" key:"true" check:"required"`
	From    time.Time `json:"from" key:"true" doc:"leave out for: always"`
	To      time.Time `json:"to" doc:"leave out for: still" ahead:"true"`
}

// Team is a group of people that owns services.
type Team struct {
	Telling
	ID        string    `json:"id" key:"true" check:"required"`
	Name      string    `json:"name"`
	Parent    string    `json:"parent"`
	TimeZone  string    `json:"time_zone" doc:"IANA name" check:"zone"`
	CreatedAt time.Time `json:"created_at"`
	RetiredAt time.Time `json:"retired_at"`
}

// Person is someone who writes or ships changes.
type Person struct {
	Telling
	ID       string   `json:"id" key:"true" check:"required"`
	Name     string   `json:"name"`
	Aliases  []string `json:"aliases" doc:"e-mail addresses and logins that commits carry"`
	Bot      bool     `json:"bot"`
	FirstDay string   `json:"first_day" doc:"first working day, YYYY-MM-DD, in the report's time zone" check:"date"`
	Team     string   `json:"team"`
}

// Membership says that a person belonged to a team during [from, to).
type Membership struct {
	Telling
	Person string    `json:"person" key:"true" check:"required"`
	Team   string    `json:"team" key:"true" check:"required"`
	From   time.Time `json:"from" key:"true"`
	To     time.Time `json:"to" ahead:"true"`
}

// ProvisioningRequest is someone asking for something: a database, an environment, a new service.
type ProvisioningRequest struct {
	Telling
	ID           string    `json:"id" key:"true" check:"required"`
	Team         string    `json:"team"`
	Service      string    `json:"service"`
	Requester    string    `json:"requester"`
	ResourceType string    `json:"resource_type" check:"required"`
	Way          string    `json:"way" doc:"such as terraform_module, crossplane_claim, kratix_promise, humanitec_resource, port_action, backstage_template, ticket"`
	OnPlatform   bool      `json:"on_platform" doc:"served by the platform without a person in between"`
	Environment  string    `json:"environment"`
	Status       string    `json:"status" check:"required" enum:"requested,in_progress,ready,failed,deleted"`
	RequestedAt  time.Time `json:"requested_at" check:"required"`
	ApprovedAt   time.Time `json:"approved_at"`
	ReadyAt      time.Time `json:"ready_at"`
	FailedAt     time.Time `json:"failed_at"`
	DeletedAt    time.Time `json:"deleted_at"`
	URL          string    `json:"url"`
}

// CapabilityUse is evidence, seen at one instant, of how a service covers a platform capability.
type CapabilityUse struct {
	Telling
	Service    string    `json:"service" key:"true" check:"required"`
	Capability string    `json:"capability" key:"true" check:"required" doc:"such as catalogue, provisioning, cicd, observability, docs"`
	ObservedAt time.Time `json:"observed_at" key:"true" check:"required"`
	State      string    `json:"state" check:"required" enum:"golden,own,none"`
	Evidence   string    `json:"evidence" doc:"what was seen: a pipeline id, a module, a link" length:"65536"`
}

// CapabilityExemption is a decision that a capability does not apply to a service, or that the service may go its
// own way.
type CapabilityExemption struct {
	Telling
	Service    string    `json:"service" key:"true" check:"required"`
	Capability string    `json:"capability" key:"true" check:"required"`
	Exemption  string    `json:"exemption" key:"true" check:"required" enum:"not_applicable,escape_hatch"`
	ApprovedAt time.Time `json:"approved_at" key:"true" check:"required"`
	ExpiresAt  time.Time `json:"expires_at" ahead:"true"`
	Reason     string    `json:"reason" length:"65536"`
}

// SurveyQuestion is one question of a survey.
type SurveyQuestion struct {
	ID      string `json:"id" check:"required"`
	Type    string `json:"type" check:"required" enum:"csat_1_5,nps_0_10,multi_select,text"`
	Text    string `json:"text" length:"65536"`
	Version string `json:"version" doc:"changes when the wording changes"`
}

// SurveyGroup is one node of the tree along which answers are reported.
type SurveyGroup struct {
	ID     string `json:"id" check:"required"`
	Parent string `json:"parent"`
}

// Survey is one wave of a survey.
type Survey struct {
	Telling
	ID        string           `json:"id" key:"true" check:"required"`
	Title     string           `json:"title"`
	OpensAt   time.Time        `json:"opens_at" check:"required"`
	ClosesAt  time.Time        `json:"closes_at" check:"required" ahead:"true"`
	Questions []SurveyQuestion `json:"questions" check:"required" items:"1000"`
	Groups    []SurveyGroup    `json:"groups"`
}

// SurveyInvitation is one person asked to answer a survey. The respondent is stored as a salted hash.
type SurveyInvitation struct {
	Telling
	Survey     string    `json:"survey" key:"true" check:"required"`
	Respondent string    `json:"respondent" key:"true" check:"required"`
	Group      string    `json:"group" doc:"the person's group, usually the team, when the survey was sent"`
	SentAt     time.Time `json:"sent_at"`
	Bounced    bool      `json:"bounced"`
}

// SurveyAnswer is the answer to one question. One of Score, Options and Text is set, as the question's type asks; an
// answer with none of them is "left empty".
type SurveyAnswer struct {
	Question string           `json:"question" check:"required"`
	Score    *int64           `json:"score" min:"0" max:"10"`
	Options  []string         `json:"options" doc:"ticked options; an empty list is an answer"`
	Severity map[string]int64 `json:"severity" doc:"per ticked option, 1 to 5" min:"1" max:"5"`
	Text     string           `json:"text" length:"65536"`
}

// SurveyResponse is one submission; of several by one person within the wave the last counts. The respondent is
// stored as a salted hash.
type SurveyResponse struct {
	Telling
	Survey      string         `json:"survey" key:"true" check:"required"`
	Respondent  string         `json:"respondent" key:"true" check:"required"`
	SubmittedAt time.Time      `json:"submitted_at" key:"true" check:"required"`
	Answers     []SurveyAnswer `json:"answers" check:"required" items:"1000"`
}

// SLO is one measurement of a service level objective over its rolling window.
type SLO struct {
	Telling
	ID         string    `json:"id" key:"true" check:"required"`
	MeasuredAt time.Time `json:"measured_at" key:"true" check:"required"`
	Service    string    `json:"service" check:"required"`
	Name       string    `json:"name"`
	Target     float64   `json:"target" check:"required" doc:"share of good events promised, between 0 and 1" above:"0" max:"1"`
	Good       int64     `json:"good" check:"required" doc:"good events in the window" min:"0"`
	Total      int64     `json:"total" check:"required" doc:"all events in the window" min:"0"`
}
