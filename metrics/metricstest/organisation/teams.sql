-- Teams, ten to a department that the first of them stands for.
INSERT INTO teams (id, name, parent, source, updated_at, version)
SELECT printf('team%02d', number) AS id, id, if(number % 10 = 0, '', printf('team%02d', intDiv(number, 10) * 10)), 'made up', {from:DateTime64(3, 'UTC')}, 1
FROM numbers({teams:UInt64})
