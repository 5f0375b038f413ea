-- Which names does more than one service of the catalogue claim, as its id or as an alias?
SELECT name, groupArraySorted(20)(id) AS services
FROM (SELECT DISTINCT arrayJoin(arrayPushBack(aliases, id)) AS name, id FROM services FINAL)
GROUP BY name
HAVING count() > 1
ORDER BY name
LIMIT 200
