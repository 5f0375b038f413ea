-- The bucket that a row belongs to; without buckets 1900-01-01. The window before is 1900-01-02. Of windows side by side, each that it lies in.
arrayJoin(if({bucket:String} = 'windows', @among, [if(at < {from:DateTime64(3, 'UTC')}, toDate32('1900-01-02'), @bucket)]))
