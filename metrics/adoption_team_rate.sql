-- Which share of the teams has at least the threshold of its services on the golden path?
SELECT @whose AS whose, t, countIf(golden / eligible >= {team_threshold:Float64}) / count() AS value, count() AS n,
       countIf(golden / eligible >= {team_threshold:Float64}) AS adopted_teams
FROM
(
    SELECT t, team, [team] AS teams, subject AS service, countIf(state = 'golden') AS golden, count() AS eligible
    FROM
    (
        -- Where services are told apart, each is judged as if a team had no other.
        SELECT t, arrayJoin(teams) AS team, if({group_by:String} = 'service', toString(service), '') AS subject, state
        FROM @adoption
        WHERE NOT not_applicable
    )
    GROUP BY t, team, subject
)
WHERE {any_team:Bool} OR team IN {teams:Array(String)}
GROUP BY whose, t
