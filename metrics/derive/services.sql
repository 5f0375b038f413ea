-- Which services does the catalogue know?
WITH toInt64('-9223372036854775808') AS absent
SELECT id, aliases, lifecycle, created_via,
       ifNull(toUnixTimestamp64Milli(created_at), absent) AS created,
       ifNull(toUnixTimestamp64Milli(idea_at), absent) AS idea,
       ifNull(toUnixTimestamp64Milli(retired_at), absent) AS retired,
       repositories.repository AS repositories,
       repositories.paths AS paths,
       repositories.shared_paths AS shared_paths
FROM services FINAL
ORDER BY id
