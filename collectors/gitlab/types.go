package gitlab

import (
	"encoding/json"
	"strings"
	"time"

	"cairn/internal/source"
)

// What GitLab says of things, as far as it matters here. The same types serve the API and webhooks, which write instants
// and labels in different ways.

// moment is an instant in any of the ways in which GitLab writes one; null, and what is none, is zero.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. It never fails: an instant that cannot be read is not known.
func (m *moment) UnmarshalJSON(data []byte) error {
	var text string
	m.Time = time.Time{}
	if json.Unmarshal(data, &text) == nil {
		m.Time = parseInstant(text)
	}
	return nil
}

// names are labels: texts in the API, objects with a title in webhooks, or with a name where details were asked for.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	*n = nil
	if err := json.Unmarshal(data, &list); err != nil {
		return nil // labels as something else are no labels
	}
	for _, item := range list {
		var text string
		var label struct{ Title, Name string }
		switch {
		case json.Unmarshal(item, &text) == nil:
		case json.Unmarshal(item, &label) == nil:
			if text = label.Title; text == "" {
				text = label.Name
			}
		}
		if text != "" {
			*n = append(*n, text)
		}
	}
	return nil
}

// account is a user.
type account struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Bot      bool   `json:"bot"`
}

// project is a project of the API.
type project struct {
	ID                  int64           `json:"id"`
	Name                string          `json:"name"`
	PathWithNamespace   string          `json:"path_with_namespace"`
	DefaultBranch       string          `json:"default_branch"`
	WebURL              string          `json:"web_url"`
	HTTPURLToRepo       string          `json:"http_url_to_repo"`
	CreatedAt           moment          `json:"created_at"`
	UpdatedAt           moment          `json:"updated_at"`
	LastActivityAt      moment          `json:"last_activity_at"`
	Archived            bool            `json:"archived"`
	EmptyRepo           bool            `json:"empty_repo"`
	ForkedFrom          json.RawMessage `json:"forked_from_project"`
	MarkedForDeletionAt string          `json:"marked_for_deletion_at"`
	MarkedForDeletionOn string          `json:"marked_for_deletion_on"`
	CIConfigPath        string          `json:"ci_config_path"`

	RepositoryAccess    string `json:"repository_access_level"`
	MergeRequestsAccess string `json:"merge_requests_access_level"`
	BuildsAccess        string `json:"builds_access_level"`
	EnvironmentsAccess  string `json:"environments_access_level"`
	ReleasesAccess      string `json:"releases_access_level"`
	IssuesAccess        string `json:"issues_access_level"`
	MergeRequests       *bool  `json:"merge_requests_enabled"`
	Jobs                *bool  `json:"jobs_enabled"`
	Issues              *bool  `json:"issues_enabled"`
}

// off are the kinds of lists that a project does not have, since the feature is switched off.
func (p project) off() []string {
	var kinds []string
	for _, feature := range []struct {
		kind    string
		access  []string
		enabled *bool
	}{
		{source.Commits, []string{p.RepositoryAccess}, nil},
		{source.Changes, []string{p.RepositoryAccess, p.MergeRequestsAccess}, p.MergeRequests},
		{source.Runs, []string{p.RepositoryAccess, p.BuildsAccess}, p.Jobs},
		{source.Deployments, []string{p.RepositoryAccess, p.EnvironmentsAccess}, nil},
		{source.Releases, []string{p.RepositoryAccess, p.ReleasesAccess}, nil},
		{source.Incidents, []string{p.IssuesAccess}, p.Issues},
		{source.Ownership, []string{p.RepositoryAccess}, nil},
	} {
		is := feature.enabled != nil && !*feature.enabled
		for _, access := range feature.access {
			is = is || access == "disabled"
		}
		if is {
			kinds = append(kinds, feature.kind)
		}
	}
	return kinds
}

// fork says whether a project is a fork.
func (p project) fork() bool { return len(p.ForkedFrom) > 0 && string(p.ForkedFrom) != "null" }

// condemned says whether a project waits to be deleted.
func (p project) condemned() bool { return p.MarkedForDeletionAt != "" || p.MarkedForDeletionOn != "" }

// changed is the instant of the latest change that GitLab knows of.
func (p project) changed() time.Time {
	return latest(p.CreatedAt.Time, p.UpdatedAt.Time, p.LastActivityAt.Time)
}

// commit is a commit of the API.
type commit struct {
	ID            string   `json:"id"`
	ParentIDs     []string `json:"parent_ids"`
	Title         string   `json:"title"`
	Message       string   `json:"message"`
	AuthorName    string   `json:"author_name"`
	AuthorEmail   string   `json:"author_email"`
	AuthoredDate  moment   `json:"authored_date"`
	CommittedDate moment   `json:"committed_date"`
	CreatedAt     moment   `json:"created_at"`
}

// mergeRequest is a merge request of the API.
type mergeRequest struct {
	IID             int64   `json:"iid"`
	Title           string  `json:"title"`
	State           string  `json:"state"` // opened, closed, locked or merged
	Draft           bool    `json:"draft"`
	WorkInProgress  bool    `json:"work_in_progress"`
	CreatedAt       moment  `json:"created_at"`
	UpdatedAt       moment  `json:"updated_at"`
	MergedAt        moment  `json:"merged_at"`
	ClosedAt        moment  `json:"closed_at"`
	Author          account `json:"author"`
	TargetBranch    string  `json:"target_branch"`
	SourceBranch    string  `json:"source_branch"`
	Labels          names   `json:"labels"`
	SHA             string  `json:"sha"`
	MergeCommitSHA  string  `json:"merge_commit_sha"`
	SquashCommitSHA string  `json:"squash_commit_sha"`
	WebURL          string  `json:"web_url"`
}

// detailed says whether what belongs to a merge request is read: not of one that was closed and brought nothing.
func (m mergeRequest) detailed() bool { return m.State != "closed" }

// note is a comment on a merge request, or a line that GitLab itself writes below it (system).
type note struct {
	Body      string  `json:"body"`
	System    bool    `json:"system"`
	CreatedAt moment  `json:"created_at"`
	Author    account `json:"author"`
}

// pipeline is a pipeline of the API, of which lists show less.
type pipeline struct {
	ID         int64   `json:"id"`
	Name       string  `json:"name"`
	Status     string  `json:"status"`
	Source     string  `json:"source"`
	Ref        string  `json:"ref"`
	Tag        bool    `json:"tag"`
	SHA        string  `json:"sha"`
	CreatedAt  moment  `json:"created_at"`
	UpdatedAt  moment  `json:"updated_at"`
	StartedAt  moment  `json:"started_at"`
	FinishedAt moment  `json:"finished_at"`
	User       account `json:"user"`
	WebURL     string  `json:"web_url"`
}

// child says whether a pipeline is part of another one, which is what counts.
func (p pipeline) child() bool { return p.Source == "parent_pipeline" }

// bridge is a job that starts another pipeline.
type bridge struct {
	Downstream *struct {
		ID        int64  `json:"id"`
		ProjectID int64  `json:"project_id"`
		Source    string `json:"source"`
	} `json:"downstream_pipeline"`
}

// job is a job of a pipeline.
type job struct {
	ID         int64   `json:"id"`
	Name       string  `json:"name"`
	Status     string  `json:"status"`
	Ref        string  `json:"ref"`
	CreatedAt  moment  `json:"created_at"`
	StartedAt  moment  `json:"started_at"`
	FinishedAt moment  `json:"finished_at"`
	User       account `json:"user"`
	WebURL     string  `json:"web_url"`
	Commit     struct {
		ID string `json:"id"`
	} `json:"commit"`

	pipeline    int64  // of which it is part: the parent, where a child pipeline has it
	attempt     int64  // 1 for the first job of its name in the pipeline
	environment string // which only webhooks tell
	tier        string
}

// ran says whether a job ever began, or ended without: one that waits for somebody to start it, or that was left out, is
// nothing that happened.
func (j job) ran() bool {
	switch j.Status {
	case "created", "manual", "skipped", "scheduled":
		return false
	}
	return true
}

// deployment is a deployment of the API.
type deployment struct {
	ID          int64   `json:"id"`
	Ref         string  `json:"ref"`
	SHA         string  `json:"sha"`
	Status      string  `json:"status"`
	CreatedAt   moment  `json:"created_at"`
	UpdatedAt   moment  `json:"updated_at"`
	User        account `json:"user"`
	Environment struct {
		Name string `json:"name"`
		Tier string `json:"tier"`
	} `json:"environment"`
	Deployable *struct {
		ID         int64  `json:"id"`
		Tag        bool   `json:"tag"`
		StartedAt  moment `json:"started_at"`
		FinishedAt moment `json:"finished_at"`
		WebURL     string `json:"web_url"`
		Pipeline   struct {
			ID int64 `json:"id"`
		} `json:"pipeline"`
	} `json:"deployable"`
}

// release is a release of the API.
type release struct {
	TagName    string  `json:"tag_name"`
	CreatedAt  moment  `json:"created_at"`
	ReleasedAt moment  `json:"released_at"`
	Upcoming   bool    `json:"upcoming_release"`
	Author     account `json:"author"`
	Commit     commit  `json:"commit"`
	Links      struct {
		Self string `json:"self"`
	} `json:"_links"`
}

// tag is a tag of the API.
type tag struct {
	Name      string `json:"name"`
	CreatedAt moment `json:"created_at"` // of an annotated one, in newer versions
	Commit    commit `json:"commit"`
}

// issue is an issue of the API.
type issue struct {
	IID       int64  `json:"iid"`
	Title     string `json:"title"`
	State     string `json:"state"`
	Type      string `json:"issue_type"`
	Severity  string `json:"severity"` // of incidents: UNKNOWN, LOW, MEDIUM, HIGH or CRITICAL
	Labels    names  `json:"labels"`
	CreatedAt moment `json:"created_at"`
	UpdatedAt moment `json:"updated_at"`
	ClosedAt  moment `json:"closed_at"`
	MovedTo   int64  `json:"moved_to_id"`
	WebURL    string `json:"web_url"`
}

// group is a group of the API.
type group struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	FullPath  string `json:"full_path"`
	ParentID  int64  `json:"parent_id"`
	CreatedAt moment `json:"created_at"`
}

// member is somebody in a group.
type member struct {
	account
	State     string `json:"state"`
	CreatedAt moment `json:"created_at"` // of the membership
}

// environment is an environment of a project.
type environment struct {
	Name string `json:"name"`
	Tier string `json:"tier"`
}

// path is the last part of a path.
func lastPart(full string) string { return full[strings.LastIndexByte(full, '/')+1:] }
