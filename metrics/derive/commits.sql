-- Which commits of a repository were told since the given instant? The parents come as one text: it is read several
-- times faster than an array.
SELECT sha, arrayStringConcat(parents, '\0') AS parents, toString(author) AS author, bot,
       toUnixTimestamp64Milli(authored_at) AS authored, toUnixTimestamp64Milli(committed_at) AS committed,
       cherry_picked_from, reverts
FROM commits FINAL
WHERE repository = {repository:String} AND ingested_at > {since:DateTime64(6, 'UTC')}
