-- The window and, right before it, the one that it is compared with.
at >= {before:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND at <= {as_of:DateTime64(3, 'UTC')}
