-- Who owned which service, and when?
WITH toInt64('-9223372036854775808') AS absent
SELECT service, team, toUnixTimestamp64Milli(valid_from) AS since, ifNull(toUnixTimestamp64Milli(valid_to), absent) AS until
FROM ownership FINAL
ORDER BY service, team, valid_from
