-- Do deployments or incidents name this service?
SELECT (SELECT count() FROM deployments WHERE service = {service:String}) + (SELECT count() FROM incidents WHERE service = {service:String})
