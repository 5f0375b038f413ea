-- Does any survey have a group of this name?
SELECT count() FROM
(
    SELECT 1 FROM surveys FINAL WHERE has(groups.id, {group:String})
    UNION ALL
    SELECT 1 FROM survey_invitations FINAL WHERE group_id = {group:String}
    LIMIT 1
)
