-- How long did new developers take from their first day until a commit of theirs was live in production?
WITH
    newcomers AS
    (
        SELECT id AS person, team, toDateTime64(toDateTime(assumeNotNull(first_day), {tz:String}), 3) AS at
        FROM people FINAL
        WHERE NOT bot AND first_day IS NOT NULL
    ),
    shipped AS
    (
        SELECT c.author AS person, min(c.deployed_at) AS first
        FROM attributed_commits AS c FINAL
        INNER JOIN newcomers AS p ON p.person = c.author
        WHERE c.environment = {environment:String} AND c.committed_at >= p.at AND c.deployed_at <= {as_of:DateTime64(3, 'UTC')}
        GROUP BY c.author
    )
SELECT @cohort AS bucket, newcomers.person AS subject, newcomers.team AS team, isNotNull(shipped.first) AS ended,
       (toUnixTimestamp64Milli(ifNull(shipped.first, {as_of:DateTime64(3, 'UTC')})) - toUnixTimestamp64Milli(at)) / 86400000 AS duration
FROM newcomers LEFT JOIN shipped ON shipped.person = newcomers.person
WHERE @windows
