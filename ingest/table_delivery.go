package ingest

import (
	"cmp"
	"time"

	"cairn/internal/bot"
	"cairn/internal/event"
)

func repositoryTable() table[event.Repository] {
	return newTable("repositories", (*event.Repository).Common,
		of("id", func(e *event.Repository) string { return e.ID }),
		of("name", func(e *event.Repository) string { return e.Name }),
		of("default_branch", func(e *event.Repository) string { return e.DefaultBranch }),
		of("url", func(e *event.Repository) string { return e.URL }),
		of("shallow", func(e *event.Repository) bool { return e.Shallow }),
		maybe("archived_at", func(e *event.Repository) *time.Time { return &e.ArchivedAt }),
		maybe("deleted_at", func(e *event.Repository) *time.Time { return &e.DeletedAt }),
	)
}

func branchTable() table[event.Branch] {
	return newTable("branches", (*event.Branch).Common,
		of("repository", func(e *event.Branch) string { return e.Repository }),
		of("name", func(e *event.Branch) string { return e.Name }),
		of("sha", func(e *event.Branch) string { return e.SHA }),
		of("is_default", func(e *event.Branch) bool { return e.Default }),
		maybe("deleted_at", func(e *event.Branch) *time.Time { return &e.DeletedAt }),
	)
}

func commitTable() table[event.Commit] {
	return newTable("commits", (*event.Commit).Common,
		word("repository", func(e *event.Commit) string { return e.Repository }),
		of("sha", func(e *event.Commit) string { return e.SHA }),
		of("parents", func(e *event.Commit) []string { return e.Parents }),
		word("author", func(e *event.Commit) string { return e.Author }),
		of("bot", func(e *event.Commit) bool { return e.Bot || bot.Is(e.Author) }),
		always("authored_at", func(e *event.Commit) time.Time { return e.AuthoredAt }),
		always("committed_at", func(e *event.Commit) time.Time { return e.CommittedAt }),
		of("paths", func(e *event.Commit) []string { return e.Paths }),
		of("paths_known", func(e *event.Commit) bool { return e.Paths != nil }),
		of("subject", func(e *event.Commit) string { return e.Subject }),
		of("cherry_picked_from", func(e *event.Commit) string { return e.CherryPickedFrom }),
		of("reverts", func(e *event.Commit) string { return e.Reverts }),
	)
}

func changeRequestTable() table[event.ChangeRequest] {
	return newTable("change_requests", (*event.ChangeRequest).Common,
		word("repository", func(e *event.ChangeRequest) string { return e.Repository }),
		of("id", func(e *event.ChangeRequest) string { return e.ID }),
		of("author", func(e *event.ChangeRequest) string { return e.Author }),
		of("title", func(e *event.ChangeRequest) string { return e.Title }),
		word("base_branch", func(e *event.ChangeRequest) string { return e.BaseBranch }),
		always("created_at", func(e *event.ChangeRequest) time.Time { return e.CreatedAt }),
		maybe("first_commit_at", func(e *event.ChangeRequest) *time.Time { return &e.FirstCommitAt }),
		maybe("ready_at", func(e *event.ChangeRequest) *time.Time { return &e.ReadyAt }),
		maybe("first_review_at", func(e *event.ChangeRequest) *time.Time { return &e.FirstReviewAt }),
		maybe("approved_at", func(e *event.ChangeRequest) *time.Time { return &e.ApprovedAt }),
		maybe("merged_at", func(e *event.ChangeRequest) *time.Time { return &e.MergedAt }),
		maybe("closed_at", func(e *event.ChangeRequest) *time.Time { return &e.ClosedAt }),
		word("merge_method", func(e *event.ChangeRequest) string { return e.MergeMethod }),
		of("commits", func(e *event.ChangeRequest) []string { return e.Commits }),
		of("landed", func(e *event.ChangeRequest) []string { return e.Landed }),
		of("labels", func(e *event.ChangeRequest) []string { return e.Labels }),
		of("additions", func(e *event.ChangeRequest) int64 { return e.Additions }),
		of("deletions", func(e *event.ChangeRequest) int64 { return e.Deletions }),
		of("url", func(e *event.ChangeRequest) string { return e.URL }),
	)
}

func pipelineRunTable() table[event.PipelineRun] {
	return newTable("pipeline_runs", (*event.PipelineRun).Common,
		word("repository", func(e *event.PipelineRun) string { return e.Repository }),
		of("id", func(e *event.PipelineRun) string { return e.ID }),
		of("attempt", func(e *event.PipelineRun) int64 { return max(e.Attempt, 1) }),
		word("name", func(e *event.PipelineRun) string { return e.Name }),
		of("sha", func(e *event.PipelineRun) string { return e.SHA }),
		of("ref", func(e *event.PipelineRun) string { return e.Ref }),
		word("status", func(e *event.PipelineRun) string { return e.Status }),
		maybe("queued_at", func(e *event.PipelineRun) *time.Time { return &e.QueuedAt }),
		maybe("started_at", func(e *event.PipelineRun) *time.Time { return &e.StartedAt }),
		maybe("finished_at", func(e *event.PipelineRun) *time.Time { return &e.FinishedAt }),
		word("template", func(e *event.PipelineRun) string { return e.Template }),
		word("way", func(e *event.PipelineRun) string { return e.Way }),
		of("url", func(e *event.PipelineRun) string { return e.URL }),
	)
}

func artifactTable() table[event.Artifact] {
	return newTable("artifacts", (*event.Artifact).Common,
		of("id", func(e *event.Artifact) string { return e.ID }),
		of("digest", func(e *event.Artifact) string { return e.Digest }),
		of("version_name", func(e *event.Artifact) string { return e.Version }),
		word("repository", func(e *event.Artifact) string { return e.Repository }),
		of("sha", func(e *event.Artifact) string { return e.SHA }),
		maybe("built_at", func(e *event.Artifact) *time.Time { return &e.BuiltAt }),
		of("pipeline_run", func(e *event.Artifact) string { return e.PipelineRun }),
		of("url", func(e *event.Artifact) string { return e.URL }),
	)
}

func deploymentTable() table[event.Deployment] {
	return newTable("deployments", (*event.Deployment).Common,
		word("service", func(e *event.Deployment) string { return e.Service }),
		of("id", func(e *event.Deployment) string { return e.ID }),
		of("attempt", func(e *event.Deployment) int64 { return max(e.Attempt, 1) }),
		word("environment", func(e *event.Deployment) string { return e.Environment }),
		word("tier", tierOf),
		word("target", func(e *event.Deployment) string { return e.Target }),
		word("status", func(e *event.Deployment) string { return e.Status }),
		maybe("created_at", func(e *event.Deployment) *time.Time { return &e.CreatedAt }),
		maybe("started_at", func(e *event.Deployment) *time.Time { return &e.StartedAt }),
		maybe("finished_at", func(e *event.Deployment) *time.Time { return &e.FinishedAt }),
		of("revisions", revisionsOf),
		of("version_name", func(e *event.Deployment) string { return e.Version }),
		of("artifact", func(e *event.Deployment) string { return e.Artifact }),
		of("images", func(e *event.Deployment) []string { return e.Images }),
		of("rollback", func(e *event.Deployment) bool { return e.Rollback }),
		of("hotfix", func(e *event.Deployment) bool { return e.Hotfix }),
		of("unplanned", func(e *event.Deployment) bool { return e.Unplanned }),
		of("remediates", func(e *event.Deployment) []string { return e.Remediates }),
		of("remediates_incidents", func(e *event.Deployment) []string { return e.RemediatesIncidents }),
		of("failed", func(e *event.Deployment) *bool { return e.Failed }),
		word("way", func(e *event.Deployment) string { return e.Way }),
		word("tool", func(e *event.Deployment) string { return e.Tool }),
		word("actor", func(e *event.Deployment) string { return e.Actor }),
		of("pipeline_run", func(e *event.Deployment) string { return e.PipelineRun }),
		of("url", func(e *event.Deployment) string { return e.URL }),
	)
}

func incidentTable() table[event.Incident] {
	return newTable("incidents", (*event.Incident).Common,
		of("id", func(e *event.Incident) string { return e.ID }),
		word("service", func(e *event.Incident) string { return e.Service }),
		of("title", func(e *event.Incident) string { return e.Title }),
		word("severity", func(e *event.Incident) string { return e.Severity }),
		always("started_at", func(e *event.Incident) time.Time { return e.StartedAt }),
		maybe("detected_at", func(e *event.Incident) *time.Time { return &e.DetectedAt }),
		maybe("acknowledged_at", func(e *event.Incident) *time.Time { return &e.AcknowledgedAt }),
		maybe("restored_at", func(e *event.Incident) *time.Time { return &e.RestoredAt }),
		maybe("resolved_at", func(e *event.Incident) *time.Time { return &e.ResolvedAt }),
		word("cause", func(e *event.Incident) string { return e.Cause }),
		of("caused_by_deployment", func(e *event.Incident) string { return e.CausedByDeployment }),
		of("fixed_by_deployment", func(e *event.Incident) string { return e.FixedByDeployment }),
		of("url", func(e *event.Incident) string { return e.URL }),
	)
}

// tierOf is the tier that was told, else the one that the environment's name says.
func tierOf(e *event.Deployment) string { return cmp.Or(e.Tier, TierOf(e.Environment)) }

type revision struct {
	Repository  string `ch:"repository"`
	SHA         string `ch:"sha"`
	PreviousSHA string `ch:"previous_sha"`
	Role        string `ch:"role"`
	Rule        string `ch:"rule"`
}

func revisionsOf(e *event.Deployment) []revision {
	list := make([]revision, len(e.Revisions))
	for i, r := range e.Revisions {
		list[i] = revision{r.Repository, r.SHA, r.PreviousSHA, cmp.Or(r.Role, "source"), cmp.Or(r.Rule, "commit")}
	}
	return list
}
