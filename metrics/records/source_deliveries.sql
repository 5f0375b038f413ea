-- Which webhooks came in the last seven days, what became of them, and when did the latest of any come?
SELECT source, event, outcome, reason, times, latest, latest_of_all
FROM
(
    SELECT toString(source) AS source, toString(event) AS event, toString(outcome) AS outcome, toString(reason) AS reason,
           toInt64(sumIf(n, day > toDate({as_of:DateTime64(3, 'UTC')}) - 7)) AS times, max(deliveries.latest) AS latest,
           max(max(deliveries.latest)) OVER (PARTITION BY source) AS latest_of_all
    FROM deliveries
    WHERE {source:String} = '' OR source = {source:String}
    GROUP BY source, event, outcome, reason
)
ORDER BY source, event, outcome, times DESC, reason
LIMIT 500 BY source
