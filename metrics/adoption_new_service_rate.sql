-- What share of the new services were created by a golden-path template?
SELECT @whose AS whose, @buckets AS bucket, countIf(created_via = 'golden_path') / count() AS value, count() AS n, countIf(created_via = 'golden_path') AS golden
FROM (SELECT assumeNotNull(created_at) AS at, * FROM attributed_services FINAL WHERE created_at IS NOT NULL AND @scope)
WHERE @windows
GROUP BY whose, bucket
