-- When was each service deployed anew within a span, how often before, and when for the first time?
SELECT toString(service) AS service, countIf(deployed_at < {from:DateTime64(3, 'UTC')}) AS earlier, min(deployed_at) AS first,
       arraySort(groupArrayIf(deployed_at, deployed_at >= {from:DateTime64(3, 'UTC')})) AS instants
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND ({any_service:Bool} OR service IN {services:Array(String)}) AND kind = 'change'
  AND deployed_at < {to:DateTime64(3, 'UTC')} AND deployed_at <= {as_of:DateTime64(3, 'UTC')}
GROUP BY service
ORDER BY service
