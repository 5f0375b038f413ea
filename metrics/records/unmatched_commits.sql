-- By which rule was the commit of each source's deployments found, and which is the latest of those of which none was?
SELECT r.source AS source, r.rules AS rules, r.missing AS missing, r.latest AS latest, r.of_service AS service, r.latest_run AS run,
       d.images AS images, ifNull(d.version_name, '') AS version_name, d.configs AS configs, d.named AS named
FROM
(
    SELECT toString(source) AS source, sumMap(map(toString(found_by), toInt64(1))) AS rules, toInt64(countIf(found_by = '')) AS missing,
           maxIf(at, found_by = '') AS latest, argMaxIf(toString(service), (at, run), found_by = '') AS of_service, argMaxIf(run, (at, run), found_by = '') AS latest_run,
           argMaxIf(@told_id, (at, run), found_by = '') AS told_id
    FROM attributed_runs FINAL
    WHERE status = 'succeeded' AND at > {as_of:DateTime64(3, 'UTC')} - INTERVAL 90 DAY AND at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY source
) AS r
LEFT JOIN
(
    SELECT toString(source) AS source, id, any(images) AS images, any(version_name) AS version_name,
           any(arrayMap(v -> v.repository, arrayFilter(v -> v.role = 'config', revisions))) AS configs,
           any(arrayMap(v -> concat(v.repository, ' at ', v.sha), arrayFilter(v -> v.role != 'config', revisions))) AS named
    FROM deployments
    GROUP BY source, id
) AS d ON d.source = r.source AND d.id = r.told_id
ORDER BY source
