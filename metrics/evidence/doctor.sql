-- How many facts are there at each step from what was told to what is counted?
WITH
    r AS (SELECT * FROM attributed_runs FINAL WHERE @scope),
    d AS (SELECT * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope),
    c AS (SELECT * FROM attributed_changes FINAL WHERE environment = {environment:String} AND @scope),
    i AS (SELECT * FROM attributed_incidents FINAL WHERE @scope),
    s AS (SELECT * FROM attributed_services FINAL WHERE @scope),
    catalogue AS (SELECT * FROM services FINAL WHERE {any_service:Bool} OR id IN {services:Array(String)})
SELECT step, n
FROM
(
    SELECT 'runs' AS step, toInt64(count()) AS n FROM r
    UNION ALL SELECT 'runs_environment', toInt64(countIf(environment = {environment:String})) FROM r
    UNION ALL SELECT 'runs_succeeded', toInt64(countIf(environment = {environment:String} AND status = 'succeeded')) FROM r
    UNION ALL SELECT 'runs_with_commit', toInt64(countIf(environment = {environment:String} AND status = 'succeeded' AND NOT has(flags, 'no_revision'))) FROM r
    UNION ALL SELECT 'runs_commit_known', toInt64(countIf(environment = {environment:String} AND status = 'succeeded' AND NOT has(flags, 'no_revision') AND NOT has(flags, 'revision_unknown'))) FROM r
    UNION ALL SELECT 'runs_after_baseline', toInt64(countIf(environment = {environment:String} AND status = 'succeeded' AND NOT hasAny(flags, ['no_revision', 'revision_unknown', 'baseline']))) FROM r
    UNION ALL SELECT 'redeploys', toInt64(countIf(environment = {environment:String} AND kind = 'redeploy')) FROM r
    UNION ALL SELECT 'lineage_unknown', toInt64(countIf(environment = {environment:String} AND has(flags, 'lineage_unknown'))) FROM r
    UNION ALL SELECT 'rollback_to_never_live', toInt64(countIf(environment = {environment:String} AND has(flags, 'rollback_to_never_live'))) FROM r
    UNION ALL SELECT 'deployments_change', toInt64(countIf(kind = 'change')) FROM d
    UNION ALL SELECT 'deployments_all', toInt64(countIf(kind IN ('change', 'rollback', 're_release'))) FROM d
    UNION ALL SELECT 'deployments_population', toInt64(countIf(kind IN ('change', 'failed_run'))) FROM d
    UNION ALL SELECT 'deployments_failed', toInt64(countIf(kind IN ('change', 'failed_run') AND failed)) FROM d
    UNION ALL SELECT 'deployments_restored', toInt64(countIf(kind IN ('change', 'failed_run') AND failed AND restored_at IS NOT NULL)) FROM d
    UNION ALL SELECT 'deployments_with_way', toInt64(countIf(kind = 'change' AND way != '')) FROM d
    UNION ALL SELECT 'changes', toInt64(count()) FROM c
    UNION ALL SELECT 'changes_by_people', toInt64(countIf(NOT bot)) FROM c
    UNION ALL SELECT 'changes_sample', toInt64(countIf(NOT bot AND excluded = '')) FROM c
    UNION ALL SELECT 'incidents', toInt64(count()) FROM i
    UNION ALL SELECT 'incidents_linked', toInt64(countIf(deployment != '')) FROM i
    UNION ALL SELECT 'incidents_restored', toInt64(countIf(restored_at IS NOT NULL)) FROM i
    UNION ALL SELECT 'services', toInt64(count()) FROM s
    UNION ALL SELECT 'services_created', toInt64(countIf(created_at IS NOT NULL)) FROM s
    UNION ALL SELECT 'services_not_imported', toInt64(countIf(created_at IS NOT NULL AND NOT ifNull(first_run_at < created_at, false))) FROM s
    UNION ALL SELECT 'services_deployed', toInt64(countIf(created_at IS NOT NULL AND ifNull(first_run_at >= created_at, false))) FROM s
    UNION ALL SELECT 'services_created_via', toInt64(countIf(created_at IS NOT NULL AND created_via != '')) FROM s
    UNION ALL SELECT 'services_in_production', toInt64(countIf(lifecycle IN ('', 'production'))) FROM catalogue
    UNION ALL SELECT 'capability_uses', toInt64(count()) FROM capability_uses FINAL WHERE {any_service:Bool} OR service IN {services:Array(String)}
    UNION ALL SELECT 'people', toInt64(countIf(NOT bot)) FROM people FINAL
    UNION ALL SELECT 'people_first_day', toInt64(countIf(NOT bot AND first_day IS NOT NULL)) FROM people FINAL
    UNION ALL SELECT 'people_shipped', toInt64(uniqExact(author)) FROM attributed_commits FINAL WHERE environment = {environment:String} AND author IN (SELECT id FROM people FINAL WHERE NOT bot AND first_day IS NOT NULL)
    UNION ALL SELECT 'surveys', toInt64(count()) FROM surveys FINAL
    UNION ALL SELECT 'invitations', toInt64(count()) FROM survey_invitations FINAL
    UNION ALL SELECT 'invitations_delivered', toInt64(countIf(NOT bounced)) FROM survey_invitations FINAL
    UNION ALL SELECT 'responses_invited', toInt64(count()) FROM survey_responses FINAL WHERE (survey, respondent) IN (SELECT survey, respondent FROM survey_invitations FINAL WHERE NOT bounced)
    UNION ALL SELECT 'slos', toInt64(count()) FROM slos FINAL WHERE {any_service:Bool} OR service IN {services:Array(String)}
    UNION ALL SELECT 'slos_with_traffic', toInt64(countIf(total > 0)) FROM slos FINAL WHERE {any_service:Bool} OR service IN {services:Array(String)}
    UNION ALL SELECT 'default_branches', toInt64(uniqExact(repository)) FROM branches FINAL WHERE is_default
    UNION ALL SELECT 'waiting', toInt64(count()) FROM waiting_changes FINAL WHERE environment = {environment:String} AND @scope
)
ORDER BY step
