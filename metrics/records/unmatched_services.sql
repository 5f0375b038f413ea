-- Which services does the catalogue have, with what else they are called?
SELECT id, aliases FROM services FINAL WHERE retired_at IS NULL ORDER BY id
