-- Which waiting changes did the latest derivation not find again? They are marked as deleted.
INSERT INTO waiting_changes (environment, service, repository, change, revision, is_deleted)
SELECT environment, service, repository, change, {revision:UInt64}, 1
FROM waiting_changes FINAL
WHERE service IN {services:Array(String)} AND revision < {revision:UInt64}
  AND arrayExists((s, l, t) -> s = service AND l IN ('', environment) AND t >= 0,
                  {services:Array(String)}, {lines:Array(String)}, {ats:Array(Int64)})
