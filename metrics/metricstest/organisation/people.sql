-- People, one in five of whom began while we watched.
INSERT INTO people (id, name, aliases, bot, first_day, team, source, updated_at, version)
SELECT concat('dev', toString(number)) AS id, id, [concat(id, '@acme.example')], number % 100 = 99,
       if(number % 5 = 0, toNullable(toDate32({from:DateTime64(3, 'UTC')} + toIntervalHour(number * 8))), NULL),
       printf('team%02d', number % {teams:UInt64}), 'made up', {from:DateTime64(3, 'UTC')}, 1
FROM numbers({people:UInt64})
