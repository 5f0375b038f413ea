-- Forty incidents of each service.
INSERT INTO attributed_incidents (service, started_at, incident, teams, restored_at, cause, deployment, rule, severity, title, url, revision, is_deleted)
WITH number % {services:UInt64} AS s, intDiv(number, {services:UInt64}) AS k, cityHash64(s, k, 5) AS dice,
     {from:DateTime64(3, 'UTC')} + toIntervalSecond(k * 1570000 + dice % 1500000) AS at
SELECT concat('service', leftPad(toString(s), 4, '0')), at, concat('i', toString(number)),
       [printf('team%02d', (s + if(s % 10 = 3 AND at >= {middle:DateTime64(3, 'UTC')}, 7, 0)) % {teams:UInt64})],
       if(dice % 60 > 0, toNullable(at + toIntervalMinute(3 + dice % 900)), NULL), '', '', '', 'major', 'It does not answer', '', 1, 0
FROM numbers({services:UInt64} * 40)
