-- Which services in production are alive at an instant?
SELECT service FROM attributed_services FINAL
WHERE lifecycle IN ('', 'production') AND (created_at IS NULL OR created_at <= {at:DateTime64(3, 'UTC')}) AND (retired_at IS NULL OR retired_at > {at:DateTime64(3, 'UTC')})
  AND ({any_service:Bool} OR service IN {services:Array(String)})
ORDER BY service
