-- What was asked of the platform, by whom, as of an instant. Where no team is told the service's owners then asked, and for a
-- service that had none yet its first. id is the request's identity.
(
    SELECT r.id AS request, concat(r.id, ' ', r.source) AS id, toString(r.source) AS source, ifNull(a.id, toString(r.service)) AS service, toString(r.resource_type) AS resource_type, toString(r.way) AS way, r.on_platform AS on_platform,
           toString(r.environment) AS environment, toString(r.status) AS status, r.requested_at AS at, r.approved_at AS approved_at, r.ready_at AS ready_at, r.failed_at AS failed_at, r.deleted_at AS deleted_at, r.url AS url,
           arrayFilter(s -> s.2 <= r.requested_at AND (s.3 IS NULL OR r.requested_at < s.3), o.spans) AS then,
           arrayFilter(s -> s.2 = arrayMin(x -> x.2, o.spans) AND s.2 > r.requested_at, o.spans) AS soon,
           if(r.team != '', [toString(r.team)], arraySort(arrayDistinct(arrayMap(s -> s.1, if(empty(then), soon, then))))) AS teams
    FROM provisioning_requests AS r FINAL
    LEFT JOIN @canonical AS a ON a.alias = r.service
    LEFT JOIN (SELECT service, groupArray((team, valid_from, valid_to)) AS spans FROM ownership FINAL GROUP BY service) AS o ON o.service = ifNull(a.id, toString(r.service))
    WHERE r.requested_at >= {from:DateTime64(3, 'UTC')} AND r.requested_at < {to:DateTime64(3, 'UTC')} AND r.requested_at <= {as_of:DateTime64(3, 'UTC')}
      AND ({any_service:Bool} OR service IN {services:Array(String)}) AND ({any_team:Bool} OR hasAny(teams, {teams:Array(String)}))
      AND ({way:String} = '' OR r.way = {way:String}) AND ({status:String} = '' OR r.status = {status:String})
)
