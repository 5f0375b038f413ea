({any_service:Bool} OR service IN {services:Array(String)}) AND ({any_team:Bool} OR hasAny(teams, {teams:Array(String)}))
