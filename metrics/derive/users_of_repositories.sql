-- Which services were deployed from which repositories, by what their deployments name, or by what was built of them?
SELECT DISTINCT toString(service) AS service, toString(repository) AS repository
FROM
(
    SELECT service, arrayJoin(revisions.repository) AS repository FROM deployments
    UNION DISTINCT
    SELECT service, a.repository
    FROM (SELECT DISTINCT service, arrayJoin(arrayConcat(images, arrayMap(i -> splitByChar('@', i)[1], images), arrayMap(i -> splitByChar('@', i)[2], images), [artifact])) AS name FROM deployments WHERE notEmpty(images) OR artifact != '') AS d
    INNER JOIN (SELECT arrayJoin([id, digest]) AS name, repository FROM artifacts) AS a ON a.name = d.name
    WHERE d.name != ''
)
