-- What is left of the allowances of the systems that facts come from?
SELECT toString(source) AS source, toString(resource) AS resource, toInt64(allowance) AS allowance, toInt64(remaining) AS remaining, reset_at,
       toDateTime64(updated_at, 3, 'UTC') AS as_of
FROM source_budgets FINAL
WHERE {source:String} = '' OR source = {source:String}
ORDER BY source, resource
