-- Which services are known, and who owns each now?
SELECT s.service AS service, arrayMap(t -> toString(t), o.teams) AS owners
FROM (SELECT toString(service) AS service FROM attributed_services FINAL WHERE service != '') AS s
LEFT JOIN @owners AS o ON o.service = s.service
ORDER BY service
