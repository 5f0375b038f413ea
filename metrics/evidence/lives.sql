-- From when to when did each service live in an environment?
SELECT r.service AS service, r.first AS first, s.retired_at AS retired_at
FROM
(
    SELECT toString(service) AS service, min(at) AS first
    FROM attributed_runs FINAL
    WHERE environment = {environment:String} AND ({any_service:Bool} OR service IN {services:Array(String)}) AND status = 'succeeded' AND @of_target
    GROUP BY service
) AS r
LEFT JOIN (SELECT service, retired_at FROM attributed_services FINAL) AS s ON s.service = r.service
ORDER BY service
