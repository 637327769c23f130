-- Who is told of a new blood request in person: everybody available nearby who can give. The insert only writes a job; the
-- search and the events happen in a worker's own transaction, so the insert waits for nothing.

CREATE OR REPLACE FUNCTION _donors.on_request() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.enqueue('donors', 'sql',
        json_build_object('function', 'donors.fan_out', 'args', json_build_object('requestId', NEW.id)));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _donors.on_request() IS 'trigger: a job that tells the donors nearby';

-- Exactly once a request: the row of _donors.fan_outs commits with the events. A job that is repeated finds it.
CREATE OR REPLACE FUNCTION donors.fan_out(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request donors.blood_requests;
    v_nearby  integer;
BEGIN
    SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = pulse.to_uuid(fan_out.args ->> 'requestId');
    IF NOT FOUND OR v_request.status <> 'open' THEN
        RETURN json_build_object('nearby', 0);
    END IF;
    INSERT INTO _donors.fan_outs (request_id) VALUES (v_request.id) ON CONFLICT ON CONSTRAINT fan_outs_pkey DO NOTHING;
    IF NOT FOUND THEN
        RETURN json_build_object('nearby', 0);
    END IF;

    SELECT count(pulse.publish('user:' || pulse.room_part(n.user_id), 'emergency:nearby',
                               donors.emergency_json(v_request, n.distance_km), partition_key => v_request.id::text))
      INTO v_nearby
      FROM donors.nearby(v_request.latitude, v_request.longitude, v_request.radius_km, v_request.blood_group, NULL) n
     WHERE n.user_id <> v_request.requester_id;

    UPDATE _donors.fan_outs f SET nearby = v_nearby WHERE f.request_id = v_request.id;
    RETURN json_build_object('nearby', v_nearby);
END
$$;
COMMENT ON FUNCTION donors.fan_out(json) IS
    'job: publishes emergency:nearby to every available donor in the radius of a request who can give, once a request';
REVOKE EXECUTE ON FUNCTION donors.fan_out(json) FROM PUBLIC;
