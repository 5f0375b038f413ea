-- Which services have incidents been attributed to that were told anew since the given instant?
SELECT DISTINCT toString(service) AS service
FROM attributed_incidents FINAL
WHERE incident IN (SELECT arrayJoin([id, concat(source, ':', id)]) FROM incidents WHERE ingested_at > {since:DateTime64(6, 'UTC')})
