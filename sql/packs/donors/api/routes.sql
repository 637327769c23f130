-- HTTP for clients without a socket, with the same words as the events.

-- A field that one pattern describes. Null when it is left out and not needed.
CREATE OR REPLACE FUNCTION _donors.field(input json, name text, pattern text, hint text, needed boolean DEFAULT true) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT field.needed AND coalesce(json_typeof(field.input -> field.name), 'null') = 'null' THEN
        RETURN NULL;
    ELSIF json_typeof(field.input -> field.name) IN ('string', 'number') AND length(field.input ->> field.name) <= 4096
          AND field.input ->> field.name ~ field.pattern THEN
        RETURN field.input ->> field.name;
    END IF;
    PERFORM pulse.fail('invalid', format('%s is missing or wrong', field.name), field.hint);
END
$$;
COMMENT ON FUNCTION _donors.field(json, text, text, text, boolean) IS 'a field of a client''s input, or an error with what is accepted';

-- Who asked is told only to that user.
CREATE OR REPLACE FUNCTION _donors.request_json(request donors.blood_requests) RETURNS jsonb
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'id', (request_json.request).id, 'bloodGroup', (request_json.request).blood_group, 'urgency', (request_json.request).urgency,
        'units', (request_json.request).units, 'latitude', (request_json.request).latitude, 'longitude', (request_json.request).longitude,
        'radiusKm', (request_json.request).radius_km, 'countryCode', (request_json.request).country_code,
        'status', (request_json.request).status, 'hospitalId', (request_json.request).hospital_id,
        'hospitalName', (request_json.request).hospital_name, 'notes', (request_json.request).notes,
        'requesterId', CASE WHEN (request_json.request).requester_id = pulse.user_id() THEN (request_json.request).requester_id END,
        'createdAt', pulse.iso8601((request_json.request).created_at), 'updatedAt', pulse.iso8601((request_json.request).updated_at)));
END;
COMMENT ON FUNCTION _donors.request_json(donors.blood_requests) IS 'a blood request as routes give it';

CREATE OR REPLACE FUNCTION donors.post_request(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := pulse.require_user();
    v_input   json := pulse.input_object(request -> 'body',
        '{"bloodGroup":"O-","urgency":"critical","latitude":19.076,"longitude":72.8777,"countryCode":"IN"}');
    v_own     text := coalesce(pulse.input_text(v_input, 'clientRequestId', 200), pulse.input_text(request -> 'headers', 'idempotency-key', 200));
    v_row     donors.blood_requests;
    v_id      uuid;
    v_nearby  bigint;
BEGIN
    v_row.requester_id := v_user;
    v_row.blood_group  := _donors.field(v_input, 'bloodGroup', '^(O|A|B|AB)[+-]$', 'It is O-, O+, A-, A+, B-, B+, AB- or AB+.');
    v_row.urgency      := coalesce(_donors.field(v_input, 'urgency', '^(low|normal|high|critical)$', 'It is low, normal, high or critical.', false), 'normal');
    v_row.units        := coalesce(_donors.field(v_input, 'units', '^[1-9][0-9]{0,3}$', 'It is a whole number from 1 to 9999.', false)::integer, 1);
    v_row.country_code := _donors.field(v_input, 'countryCode', '^[A-Z]{2}$', 'It is ISO 3166-1 alpha-2, such as IN.');
    v_row.latitude     := pulse.input_number(v_input, 'latitude', -90, 90);
    v_row.longitude    := pulse.input_number(v_input, 'longitude', -180, 180);
    v_row.radius_km    := coalesce(_donors.field(v_input, 'radiusKm', '^[0-9]{1,5}(\.[0-9]{1,6})?$', 'It is a number of kilometres.', false)::double precision,
                                   donors.search_radius_km());
    v_row.hospital_id  := pulse.to_uuid(_donors.field(v_input, 'hospitalId', '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
                                   'It is the id of a hospital, or left out.', false));
    v_row.notes        := _donors.field(v_input, 'notes', '^.+$', 'It is a text of at most 4096 characters.', false);
    IF v_row.latitude IS NULL OR v_row.longitude IS NULL THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude are needed', 'Positions are WGS 84 degrees, such as latitude 19.076, longitude 72.8777.');
    ELSIF v_row.radius_km <= 0 OR v_row.radius_km > 20100 THEN
        PERFORM pulse.fail('invalid', 'radiusKm is missing or wrong', 'It is a number of kilometres above 0, at most 20100.');
    ELSIF v_row.hospital_id IS NOT NULL AND NOT EXISTS (SELECT FROM donors.hospitals h WHERE h.id = v_row.hospital_id) THEN
        PERFORM pulse.fail('invalid', 'there is no such hospital', 'Leave hospitalId out, or give the id of a row of donors.hospitals.');
    END IF;
    INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, units, latitude, longitude, radius_km, country_code, hospital_id, notes, client_request_id)
    VALUES (v_row.requester_id, v_row.blood_group, v_row.urgency, v_row.units, v_row.latitude, v_row.longitude, v_row.radius_km,
            v_row.country_code, v_row.hospital_id, v_row.notes, v_own)
        ON CONFLICT (requester_id, client_request_id) WHERE client_request_id IS NOT NULL DO NOTHING
    RETURNING id INTO v_id;
    SELECT * INTO v_row FROM donors.blood_requests b   -- new, or sent again
     WHERE b.id = coalesce(v_id, (SELECT s.id FROM donors.blood_requests s WHERE s.requester_id = v_user AND s.client_request_id = v_own));
    IF NOT FOUND THEN
        PERFORM pulse.fail('conflict', 'the request is just being deleted', 'Send it again.');
    END IF;
    SELECT count(*) INTO v_nearby
      FROM donors.nearby(v_row.latitude, v_row.longitude, v_row.radius_km, v_row.blood_group, NULL) n WHERE n.user_id <> v_user;
    RETURN pulse.http_response(CASE WHEN v_id IS NULL THEN 200 ELSE 201 END, (_donors.request_json(v_row) || jsonb_build_object('nearbyDonors', v_nearby))::json);
END
$$;
COMMENT ON FUNCTION donors.post_request(json) IS
    'POST /api/v1/blood-requests {bloodGroup, urgency, units?, latitude, longitude, radiusKm?, countryCode, hospitalId?, notes?, clientRequestId?}: 201 row with nearbyDonors; again with the same clientRequestId: 200 and that one';
REVOKE EXECUTE ON FUNCTION donors.post_request(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.post_request(json) TO pulse_client;

-- The requester also reads who answered; of those who come, how to reach them and where they are.
CREATE OR REPLACE FUNCTION donors.get_request(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user      text := pulse.require_user();
    v_row       donors.blood_requests := _donors.require_emergency(request -> 'params' ->> 'id');
    v_responses jsonb;
BEGIN
    IF v_row.requester_id <> v_user THEN
        RETURN _donors.request_json(v_row);
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('responseId', r.id, 'donorId', r.donor_id, 'status', r.status,
               'etaMinutes', r.eta_minutes, 'message', r.message, 'distanceKm', r.distance_km, 'createdAt', pulse.iso8601(r.created_at))
               || CASE WHEN r.status IN ('accepted', 'arrived', 'donated')
                       THEN jsonb_build_object('name', d.name, 'phone', d.phone, 'latitude', p.latitude, 'longitude', p.longitude) ELSE '{}' END)
               ORDER BY r.created_at, r.id), '[]')
      INTO v_responses
      FROM donors.blood_request_responses r
      LEFT JOIN donors.donors d ON d.user_id = r.donor_id
      LEFT JOIN donors.presence p ON p.user_id = r.donor_id
     WHERE r.request_id = v_row.id;
    RETURN _donors.request_json(v_row) || jsonb_build_object('responses', v_responses);
END
$$;
COMMENT ON FUNCTION donors.get_request(json) IS 'GET /api/v1/blood-requests/{id}: row; for the requester with responses';
REVOKE EXECUTE ON FUNCTION donors.get_request(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.get_request(json) TO pulse_client;

-- Oldest first after since; without since the newest hundred. since = next goes on.
CREATE OR REPLACE FUNCTION donors.get_requests(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := pulse.require_user();
    v_query   json := request -> 'query';
    v_country text := _donors.field(v_query, 'countryCode', '^[A-Z]{2}$', 'It is ISO 3166-1 alpha-2, such as IN.', false);
    v_status  text := _donors.field(v_query, 'status', '^(open|matched|fulfilled|cancelled|expired)$', 'It is open, matched, fulfilled, cancelled or expired.', false);
    v_since   timestamptz := pulse.to_time(v_query ->> 'since');
    v_items   jsonb;
    v_next    timestamptz;
BEGIN
    IF v_since IS NULL AND v_query ->> 'since' IS NOT NULL THEN
        PERFORM pulse.fail('invalid', 'since must be a time', 'Such as 2026-01-05T10:00:00.000Z, or the next of the page before.');
    END IF;
    SELECT coalesce(jsonb_agg(_donors.request_json(i) ORDER BY i.created_at, i.id), '[]'), max(i.created_at)
      INTO v_items, v_next
      FROM (SELECT r.* FROM donors.blood_requests r
             WHERE (v_country IS NULL OR r.country_code = v_country) AND (v_status IS NULL OR r.status = v_status)
               AND (v_since IS NULL OR r.created_at > v_since)
             ORDER BY CASE WHEN v_since IS NOT NULL THEN r.created_at END, CASE WHEN v_since IS NULL THEN r.created_at END DESC
             LIMIT 100) i;
    RETURN jsonb_build_object('items', v_items,
        'next', to_char(coalesce(v_next, v_since) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
END
$$;
COMMENT ON FUNCTION donors.get_requests(json) IS 'GET /api/v1/blood-requests?countryCode=&status=&since=: {items, next}';
REVOKE EXECUTE ON FUNCTION donors.get_requests(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.get_requests(json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.patch_request(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user   text := pulse.require_user();
    v_row    donors.blood_requests := _donors.require_emergency(request -> 'params' ->> 'id');
    v_status text;
BEGIN
    IF v_row.requester_id <> v_user THEN
        PERFORM pulse.fail('forbidden', 'only the requester changes a request');
    END IF;
    v_status := _donors.field(pulse.input_object(request -> 'body', '{"status":"fulfilled"}'), 'status', '^(open|matched|fulfilled|cancelled|expired)$',
        'It is open, matched, fulfilled, cancelled or expired.');
    UPDATE donors.blood_requests r SET status = v_status WHERE r.id = v_row.id RETURNING * INTO v_row;
    RETURN _donors.request_json(v_row);
END
$$;
COMMENT ON FUNCTION donors.patch_request(json) IS 'PATCH /api/v1/blood-requests/{id} {status}: row; for the requester alone';
REVOKE EXECUTE ON FUNCTION donors.patch_request(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.patch_request(json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.post_response(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN pulse.http_response(201, _donors.respond(request -> 'params' ->> 'id', pulse.input_object(request -> 'body', '{"status":"accepted","etaMinutes":15}')));
END
$$;
COMMENT ON FUNCTION donors.post_response(json) IS 'POST /api/v1/blood-requests/{id}/responses {status, etaMinutes?, message?}: 201, as emergency:respond';
REVOKE EXECUTE ON FUNCTION donors.post_response(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.post_response(json) TO pulse_client;

-- A request has no session that could join donors:available; who is not available any more leaves it with all sockets.
CREATE OR REPLACE FUNCTION donors.patch_presence(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user text := pulse.require_user();
    v_ack  json := _donors.set_presence(pulse.input_object(request -> 'body', '{"isAvailable":true,"latitude":19.076,"longitude":72.8777}'));
BEGIN
    IF NOT (v_ack ->> 'isAvailable')::boolean THEN
        PERFORM pulse.evict('donors:available', v_user, 'not available');
    END IF;
    RETURN v_ack;
END
$$;
COMMENT ON FUNCTION donors.patch_presence(json) IS 'PATCH /api/v1/donors/me/presence {isAvailable, latitude?, longitude?}: as the ack of donor:update-presence';
REVOKE EXECUTE ON FUNCTION donors.patch_presence(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.patch_presence(json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.get_nearby(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := pulse.require_user();
    v_query json := request -> 'query';
    v_items json;
BEGIN
    IF coalesce(pulse.claim('role'), '') NOT IN ('hospital', 'admin') THEN
        PERFORM pulse.fail('forbidden', 'only hospitals look for donors');
    END IF;
    SELECT coalesce(json_agg(json_build_object('userId', n.user_id, 'bloodGroup', n.blood_group, 'distanceKm', round(n.distance_km::numeric, 3))
                             ORDER BY n.distance_km, n.user_id), '[]')
      INTO v_items
      FROM donors.nearby(
        _donors.degrees(v_query, 'latitude', 90), _donors.degrees(v_query, 'longitude', 180),
        coalesce(_donors.field(v_query, 'radiusKm', '^[0-9]{1,5}(\.[0-9]{1,6})?$', 'It is a number of kilometres.', false)::double precision, donors.search_radius_km()),
        _donors.field(v_query, 'bloodGroup', '^(O|A|B|AB)[+-]$', 'It is O-, O+, A-, A+, B-, B+, AB- or AB+; + is %2B in a query.')) n;
    RETURN json_build_object('items', v_items);
END
$$;
COMMENT ON FUNCTION donors.get_nearby(json) IS 'GET /api/v1/donors/nearby?latitude=&longitude=&radiusKm=&bloodGroup=: {items}; for the roles hospital and admin';
REVOKE EXECUTE ON FUNCTION donors.get_nearby(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.get_nearby(json) TO pulse_client;

-- In a query everything is text.
CREATE OR REPLACE FUNCTION _donors.degrees(query json, name text, bound integer) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value numeric := _donors.field(degrees.query, degrees.name, '^-?[0-9]{1,3}(\.[0-9]{1,15})?$', 'Positions are WGS 84 degrees, such as latitude=19.076&longitude=72.8777.')::numeric;
BEGIN
    IF abs(v_value) > degrees.bound THEN
        PERFORM pulse.fail('invalid', format('%s must be a number from -%s to %s', degrees.name, degrees.bound, degrees.bound),
            'Positions are WGS 84 degrees, such as latitude=19.076&longitude=72.8777.');
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION _donors.degrees(json, text, integer) IS 'latitude or longitude in a query, or an error';

CREATE OR REPLACE FUNCTION donors.get_online(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := pulse.require_user();
    v_country text := _donors.field(request -> 'query', 'countryCode', '^[A-Z]{2}$', 'It is ISO 3166-1 alpha-2, such as IN.', false);
BEGIN
    RETURN (SELECT json_build_object('total', coalesce(sum(g.n), 0), 'byBloodGroup', coalesce(json_object_agg(g.blood_group, g.n ORDER BY g.blood_group), '{}'))
              FROM (SELECT p.blood_group, count(*) AS n FROM donors.presence p
                     WHERE p.is_available AND p.updated_at > now() - donors.presence_ttl() AND (v_country IS NULL OR p.country_code = v_country)
                     GROUP BY p.blood_group) g);
END
$$;
COMMENT ON FUNCTION donors.get_online(json) IS 'GET /api/v1/donors/online?countryCode=: {total, byBloodGroup} of the available donors';
REVOKE EXECUTE ON FUNCTION donors.get_online(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.get_online(json) TO pulse_client;

-- A token is one device's: who signs in there last has it.
CREATE OR REPLACE FUNCTION donors.post_token(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user   text := pulse.require_user();
    v_input  json := pulse.input_object(request -> 'body', '{"token":"…","tokenType":"fcm","deviceType":"android"}');
    v_token  text := _donors.field(v_input, 'token', '^[[:graph:]]+$', 'It is the token that the push service gave to the device.');
    v_type   text := coalesce(_donors.field(v_input, 'tokenType', '^fcm$', 'It is fcm.', false), 'fcm');
    v_device text := _donors.field(v_input, 'deviceType', '^(android|ios|web)$', 'It is android, ios or web.');
BEGIN
    INSERT INTO donors.device_tokens (token, user_id, token_type, device_type) VALUES (v_token, v_user, v_type, v_device)
        ON CONFLICT ON CONSTRAINT device_tokens_pkey DO UPDATE
       SET user_id = excluded.user_id, token_type = excluded.token_type, device_type = excluded.device_type, last_used_at = clock_timestamp();
    RETURN pulse.http_response(201, json_build_object('token', v_token, 'tokenType', v_type, 'deviceType', v_device));
END
$$;
COMMENT ON FUNCTION donors.post_token(json) IS 'POST /api/v1/users/me/tokens {token, tokenType, deviceType}: 201, also again';
REVOKE EXECUTE ON FUNCTION donors.post_token(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.post_token(json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.delete_token(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user text := pulse.require_user();
BEGIN
    DELETE FROM donors.device_tokens t WHERE t.token = request -> 'params' ->> 'token' AND t.user_id = v_user;
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', 'you have no such token');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION donors.delete_token(json) IS 'DELETE /api/v1/users/me/tokens/{token}: 204';
REVOKE EXECUTE ON FUNCTION donors.delete_token(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.delete_token(json) TO pulse_client;
