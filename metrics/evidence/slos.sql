-- What was measured of service level objectives in a window?
SELECT id AS slo, ifNull(a.id, service) AS owner_service, measured_at AS at, toFloat64(target) AS promised, good, total,
       total > 0 AND toDecimal256(good, 12) >= toDecimal256(target, 12) * toDecimal256(total, 0) AS met
FROM slos FINAL
LEFT JOIN @canonical AS a ON a.alias = slos.service
WHERE @windows AND ({any_service:Bool} OR owner_service IN {services:Array(String)})
ORDER BY slo, at
