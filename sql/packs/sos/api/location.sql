-- Where somebody is. Each position is the last one of its user at once; the room hears at most one in the setting location_interval, the
-- newest, and never misses the last; one in track_sample is kept.

CREATE OR REPLACE FUNCTION sos.on_location(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user      text := pulse.require_user();
    v_input     json := pulse.input_object(args -> 0, '{"latitude":19.076,"longitude":72.8777}');
    v_case      sos.cases := _sos.require_case(_sos.sos_id(v_input), true);
    v_latitude  double precision := pulse.input_number(v_input, 'latitude', -90, 90, true);
    v_longitude double precision := pulse.input_number(v_input, 'longitude', -180, 180, true);
    v_accuracy  double precision := pulse.input_number(v_input, 'accuracy', 0, 100000000);
    v_heading   double precision := pulse.input_number(v_input, 'heading', -360, 360);   -- phones say -1 for unknown
    v_speed     double precision := pulse.input_number(v_input, 'speed', -1, 100000);
    v_now       timestamptz := clock_timestamp();
    v_at        timestamptz := coalesce(pulse.input_time(v_input, 'timestamp'), v_now);
    v_interval  interval := pulse.setting('sos', 'location_interval')::interval;
    v_located   bigint;
    v_due       timestamptz;
BEGIN
    INSERT INTO sos.participants (case_id, user_id, role, admitted) VALUES (v_case.id, v_user, _sos.role(), false)
        ON CONFLICT ON CONSTRAINT participants_pkey DO NOTHING;
    -- broadcast_at follows the throttle of the publish below: a position goes out now, or at the end of the running interval, where one
    -- that waits already is replaced.
    UPDATE sos.participants p
       SET last_seen_at = v_now, located_at = v_at, latitude = v_latitude, longitude = v_longitude,
           accuracy = v_accuracy, heading = v_heading, speed = v_speed, located = p.located + 1,
           broadcast_at = CASE WHEN p.broadcast_at + v_interval > v_now
                               THEN CASE WHEN p.broadcast_at > v_now THEN p.broadcast_at ELSE p.broadcast_at + v_interval END
                               ELSE v_now END
     WHERE p.case_id = v_case.id AND p.user_id = v_user
    RETURNING p.located, p.broadcast_at INTO v_located, v_due;
    IF (v_located - 1) % pulse.setting('sos', 'track_sample')::bigint = 0 THEN
        INSERT INTO sos.positions (case_id, user_id, latitude, longitude, accuracy, heading, speed, at)
        VALUES (v_case.id, v_user, v_latitude, v_longitude, v_accuracy, v_heading, v_speed, v_at);
    END IF;

    PERFORM pulse.publish(_sos.room(v_case.id), 'location:broadcast',
        json_strip_nulls(json_build_object('sosId', v_case.id, 'userId', v_user, 'role', _sos.role(),
            'latitude', v_input -> 'latitude', 'longitude', v_input -> 'longitude', 'accuracy', v_input -> 'accuracy',
            'heading', v_input -> 'heading', 'speed', v_input -> 'speed', 'timestamp', pulse.iso8601(v_at))),
        except_session => pulse.session_id(), ephemeral => true, throttle => nullif(v_interval, interval '0'),
        throttle_key => CASE WHEN v_interval > interval '0' THEN v_user END);
    RETURN json_build_object('ok', true, 'throttled', v_due > v_now);
END
$$;
COMMENT ON FUNCTION sos.on_location(json) IS
    'location:update {sosId?, latitude, longitude, accuracy?, heading?, speed?, timestamp?}: {ok, throttled}; throttled: it waits its turn';
REVOKE EXECUTE ON FUNCTION sos.on_location(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_location(json) TO pulse_client;
