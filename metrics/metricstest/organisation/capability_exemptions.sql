-- One service in twenty-five has an approved way out of one capability.
INSERT INTO capability_exemptions (service, capability, exemption, approved_at, expires_at, reason, source, updated_at, version)
SELECT concat('service', leftPad(toString(number), 4, '0')), 'observability', if(number % 50 = 0, 'not_applicable', 'escape_hatch'), {from:DateTime64(3, 'UTC')}, NULL, 'agreed', 'made up', {from:DateTime64(3, 'UTC')}, 1
FROM numbers({services:UInt64}) WHERE number % 25 = 0
