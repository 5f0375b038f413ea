-- A row is that of each team it counts for: of its owners and of those above them, each once. known_teams has '' first,
-- which stands for everybody who is not among them and counts for nobody; counts_for has the teams of each.
arrayJoin(arrayDistinct(arrayFlatten(arrayMap(owner -> {counts_for:Array(Array(String))}[transform(toString(owner), {known_teams:Array(String)}, arrayEnumerate({known_teams:Array(String)}), 1)], teams))))
