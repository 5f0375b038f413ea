-- Which services do deployments, incidents or the derived tables name?
SELECT DISTINCT toString(service) AS service FROM deployments
UNION DISTINCT SELECT toString(service) FROM incidents
UNION DISTINCT SELECT toString(service) FROM attributed_runs
UNION DISTINCT SELECT toString(service) FROM attributed_incidents
UNION DISTINCT SELECT toString(service) FROM waiting_changes
UNION DISTINCT SELECT service FROM attributed_services
