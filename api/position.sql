-- How far has a collector come in a stream?
SELECT position FROM cursors FINAL WHERE owner = {owner:String} AND stream = {stream:String}
