-- The catalogue: every fifth service is created while we watch, every fortieth is retired, every twentieth has an alias.
INSERT INTO services (id, name, aliases, lifecycle, created_at, idea_at, retired_at, created_via, repositories, source, updated_at, version)
SELECT concat('service', leftPad(toString(number), 4, '0')) AS id, id,
       if(number % 20 = 0, [concat('old-', id)], []),
       'production',
       if(number % 5 = 0, {from:DateTime64(3, 'UTC')} + toIntervalHour(number * 30), {from:DateTime64(3, 'UTC')} - toIntervalDay(number)) AS created_at,
       created_at - toIntervalDay(7),
       if(number % 40 = 7, toNullable({from:DateTime64(3, 'UTC')} + toIntervalDay(500)), NULL),
       if(cityHash64(number, 1) % 3 > 0, 'golden_path', 'manual'),
       [(concat('acme/', id), [], [])],
       'made up', created_at, 1
FROM numbers({services:UInt64})
