-- What was a survey about?
SELECT id, opens_at, closes_at, questions.id AS questions, questions.type AS types, groups.id AS groups, groups.parent AS parents
FROM surveys FINAL
WHERE ({survey:String} = '' OR id = {survey:String}) AND opens_at < {to:DateTime64(3, 'UTC')} AND closes_at > {from:DateTime64(3, 'UTC')} AND opens_at <= {as_of:DateTime64(3, 'UTC')}
ORDER BY opens_at DESC, id
