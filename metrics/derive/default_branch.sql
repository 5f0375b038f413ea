-- Where does the default branch of a repository point?
SELECT sha FROM branches FINAL
WHERE repository = {repository:String} AND is_default AND deleted_at IS NULL
ORDER BY updated_at DESC, name
LIMIT 1
