-- The commits that deployments made live, ten each.
INSERT INTO attributed_commits (environment, service, deployed_at, repository, sha, teams, author, committed_at, deployment, change, baseline, revision, is_deleted)
SELECT environment, service, deployed_at, repository, commits[1], teams, author, started_at, deployment, change, false, revision, 0
FROM attributed_changes FINAL
WHERE deployed_at >= {since:DateTime64(3, 'UTC')} AND revision = {revision:UInt64}
