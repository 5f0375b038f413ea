-- When did incidents of each service begin within a span, how many before, and when the first one?
SELECT toString(service) AS service, countIf(started_at < {from:DateTime64(3, 'UTC')}) AS earlier, min(started_at) AS first,
       arraySort(groupArrayIf(started_at, started_at >= {from:DateTime64(3, 'UTC')})) AS instants
FROM attributed_incidents FINAL
WHERE ({any_service:Bool} OR service IN {services:Array(String)}) AND started_at < {to:DateTime64(3, 'UTC')} AND started_at <= {as_of:DateTime64(3, 'UTC')}
GROUP BY service
ORDER BY service
