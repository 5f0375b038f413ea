-- How many commits of a repository are there, at most, and what time is it?
SELECT count() AS commits, now64(6) AS now FROM commits WHERE repository = {repository:String}
