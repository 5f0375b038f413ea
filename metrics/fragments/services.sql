-- Every service: those of the catalogue, and those known by deployments or incidents alone.
(
    SELECT id, name, description, aliases, toString(system) AS system, if(lifecycle = '', 'production', toString(lifecycle)) AS lifecycle, toString(tier) AS tier, arrayMap(t -> toString(t), tags) AS tags,
           created_at, retired_at, toString(created_via) AS created_via, template, documentation, url, toString(source) AS source,
           repositories.repository AS repositories, repositories.paths AS paths, repositories.shared_paths AS shared_paths, true AS catalogued
    FROM services FINAL
    UNION ALL
    SELECT service, '', '', [], '', 'production', '', [], NULL, NULL, '', '', '', '', '', [], [], [], false
    FROM attributed_services FINAL
    WHERE service != '' AND service NOT IN (SELECT id FROM services FINAL)
)
