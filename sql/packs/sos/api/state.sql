-- A case as clients and services read it.

CREATE OR REPLACE FUNCTION _sos.state_json(sos_case sos.cases) RETURNS json
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_participants json;
    v_locations    json;
    v_state        json;
BEGIN
    SELECT coalesce(json_agg(json_build_object('userId', p.user_id, 'role', p.role, 'online', coalesce(o.sessions > 0, false),
                                               'lastSeen', pulse.iso8601(greatest(p.last_seen_at, o.last_seen, pulse.last_seen(p.user_id))))
                             ORDER BY p.joined_at, p.user_id), '[]'),
           coalesce(json_agg(json_strip_nulls(json_build_object('userId', p.user_id, 'role', p.role, 'latitude', p.latitude, 'longitude', p.longitude,
                                               'accuracy', p.accuracy, 'heading', p.heading, 'speed', p.speed, 'timestamp', pulse.iso8601(p.located_at)))
                             ORDER BY p.located_at DESC) FILTER (WHERE p.located_at IS NOT NULL), '[]')
      INTO v_participants, v_locations
      FROM sos.participants p
      LEFT JOIN pulse.presence(_sos.room(sos_case.id)) o ON o.user_id = p.user_id
     WHERE p.case_id = sos_case.id;
    v_state := json_strip_nulls(json_build_object(
        'sosId', sos_case.id, 'status', sos_case.status, 'citizenId', sos_case.citizen_id,
        'latitude', sos_case.latitude, 'longitude', sos_case.longitude, 'verified', sos_case.verified,
        'participants', v_participants, 'lastLocations', v_locations,
        'createdAt', pulse.iso8601(sos_case.created_at), 'updatedAt', pulse.iso8601(sos_case.updated_at), 'closedAt', pulse.iso8601(sos_case.closed_at),
        'expiresAt', pulse.iso8601(_sos.live_until(sos_case))));
    IF sos_case.details IS NOT NULL THEN   -- byte for byte, nulls too
        v_state := left(v_state::text, -1) || ',"details":' || sos_case.details || '}';
    END IF;
    RETURN v_state;
END
$$;
COMMENT ON FUNCTION _sos.state_json(sos.cases) IS 'the state of a case';

CREATE OR REPLACE FUNCTION sos.state(sos_id text) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT _sos.state_json(c) FROM _sos.find_case(state.sos_id) c WHERE c.id IS NOT NULL
$$;
COMMENT ON FUNCTION sos.state(text) IS 'a case with its participants and their last positions; null when there is none or it has expired';
REVOKE EXECUTE ON FUNCTION sos.state(text) FROM PUBLIC;
