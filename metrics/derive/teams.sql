-- Which teams are there, and below which others?
SELECT id, parent FROM teams FINAL
UNION DISTINCT
SELECT DISTINCT team AS id, '' AS parent FROM people FINAL WHERE team != ''
