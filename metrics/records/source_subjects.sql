-- Which repositories and the like does a source read?
WITH fitting AS
(
    SELECT subject
    FROM source_streams FINAL
    WHERE source = {source:String} AND outcome != '' AND subject != '' AND ({search:String} = '' OR positionCaseInsensitiveUTF8(subject, {search:String}) > 0)
    GROUP BY subject
    HAVING NOT {problems:Bool} OR countIf(outcome IN ('denied', 'gone', 'failed')) > 0
)
SELECT subject, toInt64((SELECT count() FROM fitting)) AS fit
FROM fitting
WHERE {first:Bool} OR subject > {after:String}
ORDER BY subject
LIMIT {limit:UInt64}
