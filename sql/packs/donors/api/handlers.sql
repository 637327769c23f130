-- What clients may send. Each takes the array of the event's arguments and returns the ack; a refusal raises an error of
-- class PL with a hint, which the client gets in its ack.

-- What a donor says of the own availability, by event or by HTTP; gives the ack.
CREATE OR REPLACE FUNCTION _donors.set_presence(input json) RETURNS json
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user      text := pulse.require_user();
    v_latitude  double precision := pulse.input_number(input, 'latitude', -90, 90);
    v_longitude double precision := pulse.input_number(input, 'longitude', -180, 180);
    v_available boolean;
    v_donor     donors.donors;
BEGIN
    IF json_typeof(input -> 'isAvailable') IS DISTINCT FROM 'boolean' THEN
        PERFORM pulse.fail('invalid', 'isAvailable must be true or false', 'Send {"isAvailable":true,"latitude":19.076,"longitude":72.8777}.');
    END IF;
    v_available := (input ->> 'isAvailable')::boolean;
    IF (v_latitude IS NULL) <> (v_longitude IS NULL) THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude go together', 'Send both, or neither to keep the last position.');
    END IF;
    SELECT * INTO v_donor FROM donors.donors d WHERE d.user_id = v_user;
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', 'you are not registered as a donor', 'Register the user in donors.donors first.');
    END IF;
    IF v_available AND v_latitude IS NULL
       AND NOT EXISTS (SELECT FROM donors.presence p WHERE p.user_id = v_user AND p.latitude IS NOT NULL) THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude are needed to become available', 'Send {"isAvailable":true,"latitude":19.076,"longitude":72.8777}.');
    END IF;

    -- UPDATE first: nearly always the row is there, and an upsert would fire the triggers of INSERT as well
    UPDATE donors.presence p
       SET is_available = v_available,
           latitude     = coalesce(v_latitude, p.latitude),
           longitude    = coalesce(v_longitude, p.longitude),
           country_code = v_donor.country_code,
           blood_group  = v_donor.blood_group,
           socket_id    = coalesce(pulse.socket_id(), p.socket_id),
           updated_at   = now()
     WHERE p.user_id = v_user;
    IF NOT FOUND THEN
        INSERT INTO donors.presence AS p (user_id, is_available, latitude, longitude, country_code, blood_group, socket_id)
        VALUES (v_user, v_available, v_latitude, v_longitude, v_donor.country_code, v_donor.blood_group, pulse.socket_id())
            ON CONFLICT ON CONSTRAINT presence_pkey DO UPDATE
           SET is_available = excluded.is_available, latitude = excluded.latitude, longitude = excluded.longitude,
               socket_id = coalesce(excluded.socket_id, p.socket_id), updated_at = excluded.updated_at;
    END IF;

    RETURN json_build_object('ok', true, 'isAvailable', v_available,
        'expiresAt', CASE WHEN v_available THEN pulse.iso8601(now() + donors.presence_ttl()) END);
END
$$;
COMMENT ON FUNCTION _donors.set_presence(json) IS 'availability and position of the user of this call: {ok, isAvailable, expiresAt}';

CREATE OR REPLACE FUNCTION donors.on_update_presence(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user text := pulse.require_user();
    v_ack  json := _donors.set_presence(pulse.input_object(args -> 0, '{"isAvailable":true,"latitude":19.076,"longitude":72.8777}'));
BEGIN
    IF (v_ack ->> 'isAvailable')::boolean THEN
        PERFORM pulse.join('donors:available');
    ELSE
        PERFORM pulse.leave('donors:available');
    END IF;
    RETURN v_ack;
END
$$;
COMMENT ON FUNCTION donors.on_update_presence(json) IS
    'donor:update-presence {isAvailable, latitude, longitude}: {ok, isAvailable, expiresAt}; joins or leaves donors:available';
REVOKE EXECUTE ON FUNCTION donors.on_update_presence(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_update_presence(json) TO pulse_client;

CREATE OR REPLACE FUNCTION _donors.require_emergency(id text) RETURNS donors.blood_requests
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request donors.blood_requests;
BEGIN
    IF pulse.to_uuid(require_emergency.id) IS NULL THEN
        PERFORM pulse.fail('invalid', 'the emergency''s id must be a UUID', 'Send the emergencyId of an event, bare or as {"emergencyId":"…"}.');
    END IF;
    SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = pulse.to_uuid(require_emergency.id);
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', format('there is no emergency %s', pulse.to_uuid(require_emergency.id)),
            'It may have been deleted; its id is emergencyId in emergency:created.');
    END IF;
    RETURN v_request;
END
$$;
COMMENT ON FUNCTION _donors.require_emergency(text) IS 'the blood request of an id that a client sent, or an error';

CREATE OR REPLACE FUNCTION _donors.emergency_id(args json) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE json_typeof(emergency_id.args -> 0)
           WHEN 'string' THEN emergency_id.args ->> 0
           WHEN 'object' THEN emergency_id.args -> 0 ->> 'emergencyId' END;
END;
COMMENT ON FUNCTION _donors.emergency_id(json) IS 'the id in an event''s arguments: a bare string, or emergencyId of an object';

CREATE OR REPLACE FUNCTION donors.on_emergency_join(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := pulse.require_user();
    v_request donors.blood_requests := _donors.require_emergency(_donors.emergency_id(args));
BEGIN
    PERFORM pulse.join('emergency:' || v_request.id);
    IF v_request.requester_id = v_user THEN
        PERFORM pulse.join('emergency:' || v_request.id || ':requester');
    END IF;
    RETURN json_build_object('ok', true, 'emergency', donors.emergency_json(v_request));
END
$$;
COMMENT ON FUNCTION donors.on_emergency_join(json) IS
    'emergency:join id: joins emergency:{id}, the requester emergency:{id}:requester too; {ok, emergency}';
REVOKE EXECUTE ON FUNCTION donors.on_emergency_join(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_emergency_join(json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.on_emergency_leave(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := pulse.require_user();
    v_request donors.blood_requests := _donors.require_emergency(_donors.emergency_id(args));
BEGIN
    PERFORM pulse.leave('emergency:' || v_request.id);
    IF v_request.requester_id = v_user THEN
        PERFORM pulse.leave('emergency:' || v_request.id || ':requester');
    END IF;
    RETURN json_build_object('ok', true, 'emergency', donors.emergency_json(v_request));
END
$$;
COMMENT ON FUNCTION donors.on_emergency_leave(json) IS 'emergency:leave id: leaves the rooms of emergency:join; {ok, emergency}';
REVOKE EXECUTE ON FUNCTION donors.on_emergency_leave(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_emergency_leave(json) TO pulse_client;

-- A donor's answer, by event or by HTTP; gives the ack.
CREATE OR REPLACE FUNCTION _donors.respond(emergency_id text, input json) RETURNS json
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user     text := pulse.require_user();
    v_request  donors.blood_requests := _donors.require_emergency(respond.emergency_id);
    v_eta      integer;
    v_response uuid;
BEGIN
    IF coalesce(input ->> 'status', '') NOT IN ('accepted', 'declined') THEN
        PERFORM pulse.fail('invalid', 'status must be accepted or declined', 'Send {"emergencyId":"…","status":"accepted","etaMinutes":15}.');
    END IF;
    IF coalesce(json_typeof(input -> 'etaMinutes'), 'null') <> 'null' THEN
        IF input ->> 'etaMinutes' !~ '^[0-9]{1,4}$' THEN
            PERFORM pulse.fail('invalid', 'etaMinutes must be a whole number from 0 to 9999', 'Leave it out when it is not known.');
        END IF;
        v_eta := (input ->> 'etaMinutes')::integer;
    END IF;
    IF coalesce(json_typeof(input -> 'message'), 'null') NOT IN ('null', 'string') OR length(input ->> 'message') > 1000 THEN
        PERFORM pulse.fail('invalid', 'message must be a text of at most 1000 characters', 'Leave it out when there is none.');
    END IF;
    IF NOT EXISTS (SELECT FROM donors.donors d WHERE d.user_id = v_user) THEN
        PERFORM pulse.fail('forbidden', 'only donors respond to emergencies', 'Register the user in donors.donors first.');
    END IF;
    SELECT r.id INTO v_response
      FROM donors.blood_request_responses r
     WHERE r.request_id = v_request.id AND r.donor_id = v_user
       AND (r.status, r.eta_minutes, r.message) IS NOT DISTINCT FROM (input ->> 'status', v_eta, input ->> 'message');
    IF FOUND THEN
        RETURN json_build_object('ok', true, 'responseId', v_response);   -- sent again
    END IF;
    IF v_request.status NOT IN ('open', 'matched') THEN
        PERFORM pulse.fail('conflict', format('the emergency is %s', v_request.status), 'Only open and matched emergencies take responses.');
    END IF;

    -- A second answer corrects the first, under the same id. What happened since (arrived, donated) is not undone by it.
    INSERT INTO donors.blood_request_responses AS r (request_id, donor_id, status, eta_minutes, message)
    VALUES (v_request.id, v_user, input ->> 'status', v_eta, input ->> 'message')
        ON CONFLICT ON CONSTRAINT blood_request_responses_request_id_donor_id_key DO UPDATE
       SET status = CASE WHEN r.status IN ('arrived', 'donated') THEN r.status ELSE excluded.status END,
           eta_minutes = excluded.eta_minutes, message = excluded.message
    RETURNING r.id INTO v_response;
    RETURN json_build_object('ok', true, 'responseId', v_response);
END
$$;
COMMENT ON FUNCTION _donors.respond(text, json) IS 'the answer of the user of this call to an emergency: {ok, responseId}';

CREATE OR REPLACE FUNCTION donors.on_emergency_respond(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := pulse.require_user();
    v_input json := pulse.input_object(args -> 0, '{"emergencyId":"…","status":"accepted","etaMinutes":15}');
BEGIN
    RETURN _donors.respond(v_input ->> 'emergencyId', v_input);
END
$$;
COMMENT ON FUNCTION donors.on_emergency_respond(json) IS
    'emergency:respond {emergencyId, status, etaMinutes?, message?}: {ok, responseId}; again: the same responseId';
REVOKE EXECUTE ON FUNCTION donors.on_emergency_respond(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_emergency_respond(json) TO pulse_client;
