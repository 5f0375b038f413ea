-- Which files did the commits of a repository touch that were told since the given instant?
SELECT sha, arrayStringConcat(paths, '\0') AS joined
FROM commits FINAL
WHERE repository = {repository:String} AND ingested_at > {since:DateTime64(6, 'UTC')}
