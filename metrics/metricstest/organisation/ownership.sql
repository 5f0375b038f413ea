-- Each service has a team, one in ten another one from the middle on.
INSERT INTO ownership (service, team, valid_from, valid_to, source, updated_at, version)
SELECT concat('service', leftPad(toString(number), 4, '0')),
       printf('team%02d', (number + 7 * half) % {teams:UInt64}),
       if(half = 1, {middle:DateTime64(3, 'UTC')}, {from:DateTime64(3, 'UTC')} - toIntervalDay(1000)),
       if(half = 0 AND number % 10 = 3, toNullable({middle:DateTime64(3, 'UTC')}), NULL),
       'made up', {from:DateTime64(3, 'UTC')}, 1
FROM numbers({services:UInt64}) ARRAY JOIN [0, 1] AS half
WHERE half = 0 OR number % 10 = 3
