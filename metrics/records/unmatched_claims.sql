-- Which names does more than one service of the catalogue claim, as its id or as an alias? Those that
-- are not retired come first.
SELECT name, arrayMap(s -> s.2, groupArraySorted(20)((gone, id))) AS services
FROM (SELECT DISTINCT arrayJoin(arrayPushBack(aliases, id)) AS name, id, retired_at IS NOT NULL AS gone FROM services FINAL)
GROUP BY name
HAVING count() > 1
ORDER BY name
LIMIT 200
