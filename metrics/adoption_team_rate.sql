-- Which share of the teams has at least the threshold of its services on the golden path?
SELECT t, countIf(golden / eligible >= {team_threshold:Float64}) / count() AS value, count() AS n,
       countIf(golden / eligible >= {team_threshold:Float64}) AS adopted_teams
FROM
(
    SELECT t, arrayJoin(teams) AS team, countIf(state = 'golden') AS golden, count() AS eligible
    FROM @adoption
    WHERE NOT not_applicable
    GROUP BY t, team
)
WHERE {any_team:Bool} OR team IN {teams:Array(String)}
GROUP BY t
