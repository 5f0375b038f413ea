-- How long did new services take from their creation, or idea, to their first deployment to production?
SELECT whose, @cohort AS bucket, subject, duration, ended, imported
FROM
(
    SELECT @whose AS whose, service AS subject, assumeNotNull(created_at) AS at,
           if({start:String} = 'idea_at', idea_at, created_at) AS begun,
           if(retired_at < {as_of:DateTime64(3, 'UTC')}, assumeNotNull(retired_at), {as_of:DateTime64(3, 'UTC')}) AS watched_until,
           ifNull(first_run_at <= {as_of:DateTime64(3, 'UTC')}, false) AS ended,
           ifNull(first_run_at < created_at, false) AS imported,
           (toUnixTimestamp64Milli(if(ended, assumeNotNull(first_run_at), watched_until)) - toUnixTimestamp64Milli(assumeNotNull(begun))) / 86400000 AS duration
    FROM attributed_services FINAL
    WHERE created_at IS NOT NULL AND @scope
)
WHERE @windows AND begun IS NOT NULL AND at >= {tracking_since:DateTime64(3, 'UTC')}
