-- How many merged changes are not live, and for how long have they waited?
SELECT toDate32('1970-01-01') AS bucket, toFloat64(count()) AS value, count() AS n,
       if(n = 0, NULL, quantileExactInclusive(0.5)(toUnixTimestamp64Milli({as_of:DateTime64(3, 'UTC')}) - toUnixTimestamp64Milli(merged_at)) / 3600000) AS median_age,
       if(n = 0, NULL, max(toUnixTimestamp64Milli({as_of:DateTime64(3, 'UTC')}) - toUnixTimestamp64Milli(merged_at)) / 3600000) AS oldest_age
FROM waiting_changes FINAL
WHERE environment = {environment:String} AND @scope AND merged_at <= {as_of:DateTime64(3, 'UTC')} AND (NOT bot OR {include_bots:Bool})
