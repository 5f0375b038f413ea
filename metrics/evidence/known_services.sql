-- Which services do the catalogue, deployments and incidents know?
SELECT service FROM attributed_services FINAL
WHERE {any_service:Bool} OR service IN {services:Array(String)}
ORDER BY service
