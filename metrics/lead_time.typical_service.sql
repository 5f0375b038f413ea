-- How long do changes take in the typical service: what is the median of the services' medians?
SELECT whose, bucket, quantileExactInclusive(0.5)(median) / 3600000 AS value, count() AS n
FROM
(
    WITH deployed_at AS at SELECT @whose AS whose, @buckets AS bucket, service, quantileExactInclusive(0.5)(lead_ms) AS median
    FROM attributed_changes FINAL
    WHERE environment = {environment:String} AND @scope AND @shipped AND @windows AND excluded = '' AND (NOT bot OR {include_bots:Bool})
    GROUP BY whose, bucket, service
)
GROUP BY whose, bucket
