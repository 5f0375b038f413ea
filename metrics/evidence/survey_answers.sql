-- Who was asked in a survey, and what did those answer who were asked in time?
SELECT i.respondent AS respondent, toString(i.group_id) AS group_id, isNotNull(r.at) AS answered,
       r.questions AS questions, r.scores AS scores, r.options AS options, r.options_given AS options_given, r.severities AS severities, r.texts AS texts
FROM (SELECT * FROM survey_invitations FINAL WHERE survey = {survey:String} AND NOT bounced) AS i
LEFT JOIN
(
    SELECT respondent, max(submitted_at) AS at,
           argMax(answers.question, submitted_at) AS questions, argMax(arrayMap(s -> ifNull(s, -1), answers.score), submitted_at) AS scores,
           argMax(answers.options, submitted_at) AS options, argMax(answers.options_given, submitted_at) AS options_given,
           argMax(answers.severity, submitted_at) AS severities, argMax(arrayMap(x -> CAST(x != '', 'Bool'), answers.text), submitted_at) AS texts
    FROM (SELECT * FROM survey_responses FINAL WHERE survey = {survey:String}
          AND submitted_at >= {opens:DateTime64(3, 'UTC')} AND submitted_at < {closes:DateTime64(3, 'UTC')} AND submitted_at <= {as_of:DateTime64(3, 'UTC')})
    GROUP BY respondent
) AS r ON r.respondent = i.respondent
ORDER BY respondent
