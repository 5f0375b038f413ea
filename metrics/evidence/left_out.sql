-- What was left out of the numbers of a window, and why?
SELECT reason, count() AS n, arraySlice(arraySort(groupArray(id)), 1, 5) AS examples
FROM
(
    SELECT run AS id,
           arrayJoin(arrayFilter(r -> r != '', [
               multiIf(status != 'succeeded', concat('run ended as ', toString(status), ': it changed nothing in the environment'), ''),
               if(kind = 'redeploy', if(has(flags, 'no_op'), 'run changed nothing on the service''s paths', 'redeploy of the version that was live already'), ''),
               if(kind = 'rollout', 'roll-out of a version to a further target: counted with its first target', ''),
               if(has(flags, 'baseline'), 'first known revision of a repository (baseline): ships no lead times', ''),
               if(has(flags, 'lineage_unknown'), 'the revision that was live before is not among the known commits: ships no lead times', ''),
               if(has(flags, 'revision_unknown'), 'the deployed commit is not among the known commits: ships no lead times', ''),
               if(has(flags, 'rollback_to_never_live'), 'called a rollback, but to a version that was never live: taken for a change', ''),
               if(has(flags, 'history_incomplete'), 'a parent of a shipped commit is not known: changes may be missing', '')
           ])) AS reason
    FROM attributed_runs FINAL
    WHERE environment = {environment:String} AND @scope AND @of_target AND @window
    UNION ALL
    SELECT change AS id, multiIf(bot AND NOT {include_bots:Bool}, 'change written by machines alone', 'change deployed before it was begun: clocks disagree by more than is tolerated') AS reason
    FROM (SELECT deployed_at AS at, * FROM attributed_changes FINAL WHERE environment = {environment:String} AND @scope AND @shipped)
    WHERE @window AND (excluded != '' OR bot AND NOT {include_bots:Bool})
)
GROUP BY reason
ORDER BY n DESC, reason
