-- Which services were deployed from which repositories?
SELECT DISTINCT toString(service) AS service, arrayJoin(revisions.repository) AS repository
FROM deployments
