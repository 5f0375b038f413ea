-- How long did it take from the start of each incident until users were served again?
WITH started_at AS at
SELECT @whose AS whose, @cohort AS bucket, incident AS subject,
       greatest(0, toUnixTimestamp64Milli(if(restored_at <= {as_of:DateTime64(3, 'UTC')}, assumeNotNull(restored_at), {as_of:DateTime64(3, 'UTC')})) - toUnixTimestamp64Milli(at)) / 3600000 AS duration,
       ifNull(restored_at <= {as_of:DateTime64(3, 'UTC')}, false) AS ended
FROM attributed_incidents FINAL
WHERE @scope AND @windows
