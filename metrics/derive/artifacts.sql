-- What was built of which commit, of artifacts with these names or digests and of releases of these versions? The oldest
-- first.
SELECT id, digest, version_name, toString(repository) AS repository, sha
FROM artifacts FINAL
WHERE (id IN {names:Array(String)} OR digest IN {names:Array(String)}
       OR repository IN {repositories:Array(String)} AND (version_name IN {versions:Array(String)}
       OR position(version_name, '/') > 0 AND arrayStringConcat(arraySlice(splitByChar('/', version_name), -2), '/') IN {versions:Array(String)}))
  AND ifNull(toUnixTimestamp64Milli(built_at), 0) <= {cutoff:Int64}
ORDER BY built_at NULLS FIRST, id
