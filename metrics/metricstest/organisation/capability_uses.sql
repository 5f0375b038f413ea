-- Every fortnight the platform looks at what each service uses.
INSERT INTO capability_uses (service, capability, observed_at, state, evidence, source, updated_at, version)
WITH number % {services:UInt64} AS s, intDiv(number, {services:UInt64}) AS k, {from:DateTime64(3, 'UTC')} + toIntervalDay(14 * k) + toIntervalHour(s % 24) AS at
SELECT if(s % 20 = 0 AND k < 3, 'old-', '') || concat('service', leftPad(toString(s), 4, '0')), capability, at,
       if(cityHash64(s, capability) % 52 < k, 'golden', 'own'), 'seen', 'made up', at, toUInt64(toUnixTimestamp64Milli(at))
FROM numbers({services:UInt64} * 52) ARRAY JOIN ['catalogue', 'provisioning', 'cicd', 'observability', 'docs'] AS capability
