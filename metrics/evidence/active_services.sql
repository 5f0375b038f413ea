-- Which services in production are there, and from when to when is each alive?
SELECT service, created_at, retired_at FROM attributed_services FINAL
WHERE lifecycle IN ('', 'production') AND ({any_service:Bool} OR service IN {services:Array(String)})
ORDER BY service
