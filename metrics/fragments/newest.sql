-- What comes after the last row of the page before, newest first.
({first:Bool} OR at < {after_at:DateTime64(3, 'UTC')} OR at = {after_at:DateTime64(3, 'UTC')} AND (toString(service), id) > ({after_service:String}, {after_id:String}))
