-- Which streams cannot be read, and which of them for the same reason? Two reasons are the same when they differ in nothing
-- but the name of what they are about.
SELECT source, outcome, toInt64(count()) AS streams, arraySlice(arraySort(groupArray(stream)), 1, 20) AS examples, if(streams = 1, any(text), alike) AS error,
       max(attempted_at) AS latest, min(next_at) AS next_at
FROM
(
    SELECT toString(source) AS source, toString(outcome) AS outcome, stream, error AS text, attempted_at, next_at,
           replaceAll(error, stream, '…') AS unnamed, if(subject = '', unnamed, replaceAll(unnamed, subject, '…')) AS alike
    FROM source_streams FINAL
    WHERE outcome IN ('denied', 'gone', 'failed') AND ({source:String} = '' OR source = {source:String})
)
GROUP BY source, outcome, alike
ORDER BY source, latest DESC, streams DESC, error
LIMIT 50 BY source
