-- Everybody is asked.
INSERT INTO survey_invitations (survey, respondent, group_id, sent_at, bounced, source, updated_at, version)
SELECT concat('wave', toString(number % 8)), concat('r', toString(intDiv(number, 8))), printf('team%02d', intDiv(number, 8) % {teams:UInt64}),
       {from:DateTime64(3, 'UTC')} + toIntervalDay(number % 8 * 90) AS at, number % 97 = 0, 'made up', at, 1
FROM numbers({people:UInt64} * 8)
