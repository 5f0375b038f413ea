-- Four in five services have an objective, measured every week.
INSERT INTO slos (id, measured_at, service, name, target, good, total, source, updated_at, version)
WITH number % {services:UInt64} AS s, intDiv(number, {services:UInt64}) AS k, {from:DateTime64(3, 'UTC')} + toIntervalDay(7 * k) AS at
SELECT concat('availability-', toString(s)), at, concat('service', leftPad(toString(s), 4, '0')), 'availability', toDecimal64('0.999', 12), 1000000 - cityHash64(s, k) % 1500, 1000000, 'made up', at, 1
FROM numbers({services:UInt64} * 104) WHERE s % 5 > 0
