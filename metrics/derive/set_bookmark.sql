-- How far attribution has come.
INSERT INTO cursors (owner, stream, position) VALUES ('attribution', 'facts', {position:String})
