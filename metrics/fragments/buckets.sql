-- A row counts for the window, as 1900-01-01, and for its bucket; one of the window before counts for that, as 1900-01-02.
-- Of windows side by side it counts for each that it lies in.
arrayJoin(multiIf({bucket:String} = 'windows', @among, at < {from:DateTime64(3, 'UTC')}, [toDate32('1900-01-02')], {bucket:String} = '', [toDate32('1900-01-01')], [toDate32('1900-01-01'), @bucket]))
