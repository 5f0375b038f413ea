-- The service that each alias means. A service's id is never an alias, and of two services the first in order has it.
(
    SELECT alias, min(id) AS id FROM (SELECT id, arrayJoin(aliases) AS alias FROM services FINAL)
    WHERE alias NOT IN (SELECT id FROM services FINAL)
    GROUP BY alias
)
