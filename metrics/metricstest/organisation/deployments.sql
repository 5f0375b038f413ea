-- Deployments, those of all services side by side: so many of each, from the first on.
INSERT INTO attributed_deployments (environment, service, deployed_at, deployment, teams, kind, started_at, completed_at, targets, version_name, way, baseline, commits, changes, failed, failed_rule, failed_by, restored_at, restored_by, rework, rework_rule, rework_of, flags, url, revision, is_deleted)
WITH number % {services:UInt64} AS s, intDiv(number, {services:UInt64}) + {first:UInt64} AS k, cityHash64(s, k) AS dice,
     {from:DateTime64(3, 'UTC')} + toIntervalSecond(k * {interval:UInt64} + dice % {interval:UInt64}) AS at,
     printf('team%02d', (s + if(s % 10 = 3 AND at >= {middle:DateTime64(3, 'UTC')}, 7, 0)) % {teams:UInt64}) AS team
SELECT 'production', concat('service', leftPad(toString(s), 4, '0')), at, concat('d', toString(s), '-', toString(k)), [team],
       multiIf(dice % 100 < 94, 'change', dice % 100 < 97, 'rollback', dice % 100 < 98, 're_release', 'failed_run') AS kind,
       at - toIntervalMinute(5), at, ['production'], concat('v', toString(k)), if(dice % 3 > 0, 'golden_path', 'own'), k = 0, 14, 10,
       intDiv(dice, 100) % 9 = 0 AS failed, if(failed, ['incident', 'rollback', 'hotfix'][1 + dice % 3], ''), if(failed, [concat('d', toString(s), '-', toString(k + 1))], []),
       if(failed AND intDiv(dice, 1000) % 50 > 0, toNullable(at + toIntervalMinute(5 + intDiv(dice, 1000) % 700)), NULL), '',
       kind = 'rollback' AS rework, if(rework, 'rollback', ''), [], [], concat('https://ci.acme.example/deployments/', toString(s), '/', toString(k)), {revision:UInt64}, 0
FROM numbers({services:UInt64} * {count:UInt64})
