-- A survey each quarter.
INSERT INTO surveys (id, title, opens_at, closes_at, questions, groups, source, updated_at, version)
SELECT concat('wave', toString(number)), 'How is it going?', {from:DateTime64(3, 'UTC')} + toIntervalDay(number * 90) AS at, at + toIntervalDay(14),
       [('satisfaction', 'csat_1_5', 'Satisfied?', '1'), ('recommend', 'nps_0_10', 'Recommend?', '1'), ('pain', 'multi_select', 'What hurts?', '1')], [], 'made up', at, 1
FROM numbers(8)
