-- How many commits of a repository are there, at most?
SELECT count() FROM commits WHERE repository = {repository:String}
