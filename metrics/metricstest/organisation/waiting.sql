-- Ten changes of each service wait.
INSERT INTO waiting_changes (environment, service, repository, change, teams, kind, author, bot, started_at, merged_at, url, revision, is_deleted)
SELECT 'production', id, concat('acme/', id), toString(9000000 + j), [printf('team%02d', toUInt64(substring(id, 8)) % {teams:UInt64})], 'change_request',
       concat('dev', toString(cityHash64(id, j) % {people:UInt64})), j = 9, {to:DateTime64(3, 'UTC')} - toIntervalHour(30 + j * 9), {to:DateTime64(3, 'UTC')} - toIntervalHour(j * 8), '', 1, 0
FROM services FINAL ARRAY JOIN range(10) AS j
