-- Which rows did the latest derivation not find again? They are marked as deleted.
INSERT INTO attributed_runs (environment, service, at, run, revision, is_deleted)
SELECT environment, service, at, run, {revision:UInt64}, 1
FROM attributed_runs FINAL
WHERE service IN {services:Array(String)} AND revision < {revision:UInt64}
  AND arrayExists((s, l, t) -> s = service AND l IN ('', environment) AND t <= toUnixTimestamp64Milli(at),
                  {services:Array(String)}, {lines:Array(String)}, {ats:Array(Int64)})
