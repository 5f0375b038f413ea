-- What comes after the last change of the page before, newest first.
({first:Bool} OR at < {after_at:DateTime64(3, 'UTC')} OR at = {after_at:DateTime64(3, 'UTC')} AND (toString(service), toString(repository), id) > ({after_service:String}, {after_repository:String}, {after_id:String}))
