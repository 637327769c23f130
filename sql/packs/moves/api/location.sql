-- Where porters are: the last position for a while, one in a sample for good, and at once to who watches their orders.

CREATE OR REPLACE FUNCTION moves.on_location_update(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user      text := _moves.require_role('{porter}', 'sending a location');
    v_input     json := pulse.input_object(args -> 0, '{"latitude":19.076,"longitude":72.8777}');
    v_latitude  double precision := pulse.input_number(v_input, 'latitude', -90, 90, true);
    v_longitude double precision := pulse.input_number(v_input, 'longitude', -180, 180, true);
    v_accuracy  double precision := pulse.input_number(v_input, 'accuracy', 0, 100000, false);
    v_heading   double precision := pulse.input_number(v_input, 'heading', 0, 360, false);
    v_speed     double precision := pulse.input_number(v_input, 'speed', 0, 1000, false);
    v_at        timestamptz := coalesce(pulse.input_time(v_input, 'timestamp'), now());
    v_only      text := pulse.input_text(v_input, 'orderId', 200, false);
    v_updates   bigint;
    v_order     text;
BEGIN
    IF v_only IS NOT NULL AND NOT EXISTS (SELECT FROM moves.orders o WHERE o.id = v_only AND o.porter_id = v_user) THEN
        PERFORM pulse.fail('forbidden', 'this order is not yours', 'Leave orderId out to tell all orders that you carry.');
    END IF;

    INSERT INTO moves.porter_positions AS p (porter_id, latitude, longitude, accuracy, heading, speed, at)
    VALUES (v_user, v_latitude, v_longitude, v_accuracy, v_heading, v_speed, v_at)
        ON CONFLICT ON CONSTRAINT porter_positions_pkey DO UPDATE
       SET latitude = excluded.latitude, longitude = excluded.longitude, accuracy = excluded.accuracy, heading = excluded.heading,
           speed = excluded.speed, at = excluded.at, updates = p.updates + 1, updated_at = excluded.updated_at, expires_at = excluded.expires_at
    RETURNING p.updates INTO v_updates;
    IF (v_updates - 1) % moves.location_sample() = 0 THEN
        INSERT INTO moves.porter_track (porter_id, latitude, longitude, accuracy, heading, speed, at)
        VALUES (v_user, v_latitude, v_longitude, v_accuracy, v_heading, v_speed, v_at);
    END IF;

    FOR v_order IN
        SELECT o.id FROM moves.orders o
         WHERE o.porter_id = v_user AND o.status IN ('assigned', 'arrived', 'loading', 'in_transit') AND o.id = coalesce(v_only, o.id)
         ORDER BY o.id
    LOOP
        PERFORM pulse.publish('order:' || pulse.room_part(v_order), 'location:updated',
            json_strip_nulls(json_build_object('orderId', v_order, 'porterId', v_user, 'latitude', v_latitude, 'longitude', v_longitude,
                'accuracy', v_accuracy, 'heading', v_heading, 'speed', v_speed, 'timestamp', pulse.iso8601(v_at))),
            except_session => pulse.session_id(), ephemeral => true);
    END LOOP;
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION moves.on_location_update(json) IS
    'location:update {latitude, longitude, …} of a porter: kept, sampled, and sent to the rooms of the porter''s active orders; {ok}';
REVOKE EXECUTE ON FUNCTION moves.on_location_update(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_location_update(json) TO pulse_client;

-- The last position, or the last of the sample when the unlogged table has lost it; null when neither is young enough.
CREATE OR REPLACE FUNCTION moves.last_position(porter_id text) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_strip_nulls(json_build_object('porterId', l.porter_id, 'latitude', l.latitude, 'longitude', l.longitude,
               'accuracy', l.accuracy, 'heading', l.heading, 'speed', l.speed, 'timestamp', pulse.iso8601(l.at)))
      FROM (SELECT p.porter_id, p.latitude, p.longitude, p.accuracy, p.heading, p.speed, p.at, p.updated_at
              FROM moves.porter_positions p
             WHERE p.porter_id = last_position.porter_id AND p.expires_at > now()
             UNION ALL
            (SELECT t.porter_id, t.latitude, t.longitude, t.accuracy, t.heading, t.speed, t.at, t.created_at
               FROM moves.porter_track t
              WHERE t.porter_id = last_position.porter_id AND t.created_at > now() - moves.location_ttl()
              ORDER BY t.created_at DESC, t.id DESC LIMIT 1)) AS l
     ORDER BY l.updated_at DESC LIMIT 1
$$;
COMMENT ON FUNCTION moves.last_position(text) IS 'the last position of a porter as clients read it; null when none is known';
REVOKE EXECUTE ON FUNCTION moves.last_position(text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION moves.on_availability(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := _moves.require_role('{porter}', 'availability');
    v_input json := pulse.input_object(args -> 0, '{"available":true}');
BEGIN
    IF json_typeof(v_input -> 'available') IS DISTINCT FROM 'boolean' THEN
        PERFORM pulse.fail('invalid', 'available must be true or false', 'Send {"available":true}.');
    END IF;
    INSERT INTO moves.porters AS p (user_id, available) VALUES (v_user, (v_input ->> 'available')::boolean)
        ON CONFLICT ON CONSTRAINT porters_pkey DO UPDATE SET available = excluded.available, updated_at = excluded.updated_at;
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION moves.on_availability(json) IS 'porter:availability {available} of a porter: {ok}';
REVOKE EXECUTE ON FUNCTION moves.on_availability(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_availability(json) TO pulse_client;
