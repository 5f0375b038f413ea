-- Which streams does a source have, how far is each read, and how did that go?
WITH fitting AS
(
    SELECT * FROM source_streams FINAL
    WHERE source = {source:String} AND outcome != '' AND ({outcome:String} = '' OR outcome = {outcome:String}) AND ({kind:String} = '' OR kind = {kind:String})
      AND ({any_subject:Bool} OR subject IN {subjects:Array(String)}) AND (NOT {problems:Bool} OR outcome IN ('denied', 'gone', 'failed'))
)
SELECT stream AS name, subject, toString(kind) AS kind, toString(outcome) AS outcome, error, started_at, attempted_at, succeeded_at, next_at,
       toInt64(facts) AS facts, toInt64(requests) AS requests, toInt64(done) AS done, toInt64(total) AS total, reached_back, complete, rules,
       toInt64((SELECT count() FROM fitting)) AS fit
FROM fitting
WHERE {first:Bool} OR stream > {after:String}
ORDER BY name
LIMIT {limit:UInt64}
