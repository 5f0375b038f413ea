-- Which teams owned a service, from when to when?
SELECT o.team AS team, o.valid_from AS valid_from, o.valid_to AS valid_to
FROM (SELECT * FROM ownership FINAL) AS o
LEFT JOIN @alias AS a ON a.alias = o.service
WHERE ifNull(a.id, o.service) = {service:String}
ORDER BY valid_from, team
