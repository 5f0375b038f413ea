-- Where does each stream of a connection resume?
SELECT stream, position FROM cursors FINAL WHERE owner = {owner:String}
