-- The changes that deployments shipped, ten each, six of them by change requests.
INSERT INTO attributed_changes (environment, service, deployed_at, change, teams, repository, kind, author, bot, deployment, commits, started_at, opened_at, merged_at, lead_ms, coding_ms, pickup_ms, review_ms, wait_ms, deploy_ms, rule, excluded, flags, url, revision, is_deleted)
SELECT environment, service, deployed_at, if(requested, concat(toString(10 * cityHash64(deployment) % 1000000 + j)), lower(hex(SHA1(concat(deployment, toString(j)))))) AS change, teams, concat('acme/', service),
       if(requested, 'change_request', 'commit'), concat('dev', toString(dice % {people:UInt64})), dice % 20 = 0, deployment, [lower(hex(SHA1(concat(deployment, toString(j)))))],
       deployed_at - toIntervalMillisecond(lead), if(requested, toNullable(deployed_at - toIntervalMillisecond(intDiv(lead * 3, 4))), NULL), if(requested, toNullable(deployed_at - toIntervalMillisecond(intDiv(lead, 4))), NULL),
       if(dice % 500 = 0, -lead, lead), if(requested, toNullable(intDiv(lead, 4)), NULL), if(requested, toNullable(intDiv(lead, 4)), NULL), if(requested, toNullable(intDiv(lead, 4)), NULL), intDiv(lead, 8), intDiv(lead, 8),
       if(requested, 'landed', 'commit'), if(dice % 500 = 0, 'negative', ''), [], concat('https://git.acme.example/', service, '/changes/', change), revision, 0
FROM
(
    SELECT *, j, j < 6 AS requested, cityHash64(deployment, j) AS dice, toInt64(600000 + exp(8 + (dice % 10000) / 1200) * 1000) AS lead
    FROM attributed_deployments FINAL ARRAY JOIN range(10) AS j
    WHERE deployed_at >= {since:DateTime64(3, 'UTC')} AND revision = {revision:UInt64} AND kind = 'change'
)
