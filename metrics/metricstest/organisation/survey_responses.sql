-- Two in three answer.
INSERT INTO survey_responses (survey, respondent, submitted_at, answers, source, updated_at, version)
SELECT survey, respondent, assumeNotNull(sent_at) + toIntervalHour(dice % 300) AS at,
       [('satisfaction', toNullable(toInt64(1 + dice % 5)), [], false, map(), ''), ('recommend', toNullable(toInt64(intDiv(dice, 7) % 11)), [], false, map(), ''),
        ('pain', NULL, arrayFilter(o -> cityHash64(o, dice) % 3 = 0, ['slow builds', 'flaky tests', 'reviews', 'documentation', 'access']), true, map('reviews', 3), '')], 'made up', at, 1
FROM (SELECT *, cityHash64(survey, respondent) AS dice FROM survey_invitations FINAL)
WHERE dice % 3 > 0
