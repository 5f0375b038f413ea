-- What attribution says of each service.
INSERT INTO attributed_services (service, teams, lifecycle, created_at, created_via, idea_at, retired_at, first_run_at, first_run, first_commit_at, first_merge_at, first_pipeline_success_at, revision, is_deleted)
SELECT id, [printf('team%02d', toUInt64(substring(id, 8)) % {teams:UInt64})],
       lifecycle, created_at, created_via, idea_at, retired_at,
       created_at + toIntervalHour(cityHash64(id) % 900), 'd0', created_at + toIntervalHour(5), created_at + toIntervalHour(20), created_at + toIntervalHour(30), 1, 0
FROM services FINAL
