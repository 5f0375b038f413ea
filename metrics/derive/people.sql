-- Who stands behind the names that commits carry?
SELECT id, aliases, bot FROM people FINAL ORDER BY id
