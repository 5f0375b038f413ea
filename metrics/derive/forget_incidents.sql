-- Which incidents did the latest derivation not find again? They are marked as deleted.
INSERT INTO attributed_incidents (service, started_at, incident, revision, is_deleted)
SELECT service, started_at, incident, {revision:UInt64}, 1
FROM attributed_incidents FINAL
WHERE service IN {services:Array(String)} AND revision < {revision:UInt64}
  AND arrayExists((s, l, t) -> s = service AND l = '' AND t >= 0,
                  {services:Array(String)}, {lines:Array(String)}, {ats:Array(Int64)})
