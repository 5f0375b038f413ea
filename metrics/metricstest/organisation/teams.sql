-- Teams, ten to a department that the first of them stands for.
INSERT INTO teams (id, name, parent, source, updated_at, version)
SELECT concat('team', leftPad(toString(number), 2, '0')) AS id, id, if(number % 10 = 0, '', concat('team', leftPad(toString(intDiv(number, 10) * 10), 2, '0'))), 'made up', {from:DateTime64(3, 'UTC')}, 1
FROM numbers({teams:UInt64})
