-- How far behind is each kind of list of each source: when was the one that was read longest ago last read without an error?
SELECT toString(source) AS name, toString(kind) AS of_kind, sumMap(map(toString(outcome), toInt64(1))) AS outcomes,
       minIfOrNull(ifNull(succeeded_at, ifNull(started_at, attempted_at)), outcome NOT IN ('gone', 'denied')) AS read_at
FROM source_streams FINAL
WHERE outcome != ''
GROUP BY name, of_kind
ORDER BY name, of_kind
