-- How did each service in scope cover each capability at each instant?
(SELECT * FROM @coverage WHERE {any_team:Bool} OR hasAny(teams, {teams:Array(String)}))
