-- How far a collector has come in a stream.
INSERT INTO cursors (owner, stream, position) VALUES ({owner:String}, {stream:String}, {position:String})
