-- How is each stream of a connection doing?
SELECT stream, system, subject, kind, outcome, error, started_at, attempted_at, succeeded_at, next_at, facts, requests, done, total, reached_back, complete, rules
FROM source_streams FINAL
WHERE source = {source:String} AND outcome != ''
ORDER BY stream
