-- The windows that a row lies in, of those that are asked for side by side: the first is 1901-01-01, the second the day after.
arrayMap(i -> toDate32(toDate32('1901-01-01') + (i - 1)), arrayFilter(i -> at >= {window_starts:Array(DateTime64(3, 'UTC'))}[i] AND at < {window_ends:Array(DateTime64(3, 'UTC'))}[i], arrayEnumerate({window_ends:Array(DateTime64(3, 'UTC'))})))
