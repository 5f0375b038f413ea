-- How far has attribution come?
SELECT position FROM cursors FINAL WHERE owner = 'attribution' AND stream = 'facts'
