-- Who is told of a new blood request in person: everybody available nearby who can give. The insert only writes a job; the
-- search, the events and the push jobs happen in a worker's own transaction, so the insert waits for nothing.

-- Exactly once a request: the row of _donors.fan_outs commits with the events. A job that is repeated finds it.
CREATE OR REPLACE FUNCTION donors.fan_out(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request donors.blood_requests;
    v_near    text[];
    v_nearby  integer;
    v_queued  bigint;
BEGIN
    SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = pulse.to_uuid(fan_out.args ->> 'requestId');
    IF NOT FOUND OR v_request.status <> 'open' THEN
        RETURN json_build_object('nearby', 0);
    END IF;
    INSERT INTO _donors.fan_outs (request_id) VALUES (v_request.id) ON CONFLICT ON CONSTRAINT fan_outs_pkey DO NOTHING;
    IF NOT FOUND THEN
        RETURN json_build_object('nearby', 0);
    END IF;

    SELECT array_agg(n.user_id ORDER BY n.place), count(n.published) INTO v_near, v_nearby
      FROM (SELECT n.user_id, n.place,
                   pulse.publish('user:' || pulse.room_part(n.user_id), 'emergency:nearby',
                                 donors.emergency_json(v_request, n.distance_km), partition_key => v_request.id::text) AS published
              -- Not WITH ORDINALITY: with it the search is planned anew for each request, for ten times what it takes to run.
              FROM (SELECT d.user_id, d.distance_km, row_number() OVER (ORDER BY d.distance_km, d.user_id) AS place
                      FROM donors.nearby(v_request.latitude, v_request.longitude, v_request.radius_km, v_request.blood_group, NULL) AS d
                     WHERE d.user_id <> v_request.requester_id
                    OFFSET 0) AS n
             ORDER BY n.place) n;
    IF v_nearby = 0 THEN
        RETURN json_build_object('nearby', 0, 'queued', 0);  -- as the row of _donors.fan_outs says already
    END IF;
    INSERT INTO donors.notifications (request_id, user_id, channel, recipient, state, created_at, ended_at)
    SELECT v_request.id, u.user_id, 'socket', u.user_id, 'sent', t.at, t.at
      FROM unnest(v_near) AS u (user_id), (SELECT clock_timestamp() AS at OFFSET 0) AS t;

    -- The nearest first; of a critical request each donor's devices and phone side by side, so that neither waits for all of the other.
    SELECT _donors.notify(v_request, array_agg(t.user_id ORDER BY t.place, t.channel), array_agg(t.channel ORDER BY t.place, t.channel),
                          array_agg(t.recipient ORDER BY t.place, t.channel))
      INTO v_queued
      FROM (SELECT u.user_id, u.place, 'push' AS channel, d.token AS recipient
              FROM unnest(v_near) WITH ORDINALITY AS u (user_id, place) JOIN donors.device_tokens d ON d.user_id = u.user_id
            UNION ALL
            SELECT u.user_id, u.place, 'sms', d.phone
              FROM unnest(v_near) WITH ORDINALITY AS u (user_id, place) JOIN donors.donors d ON d.user_id = u.user_id
             WHERE v_request.urgency = 'critical' AND d.phone IS NOT NULL) t;
    IF v_request.urgency = 'high' AND donors.sms_after() > '0' THEN
        PERFORM pulse.enqueue('donors', 'sql',
            json_build_object('function', 'donors.remind', 'args', json_build_object('requestId', v_request.id)),
            run_at => clock_timestamp() + donors.sms_after());
    END IF;

    UPDATE _donors.fan_outs f SET nearby = v_nearby WHERE f.request_id = v_request.id;
    RETURN json_build_object('nearby', v_nearby, 'queued', coalesce(v_queued, 0));
END
$$;
COMMENT ON FUNCTION donors.fan_out(json) IS
    'job: tells every available donor in the radius of a request who can give, by event, push and, when it is critical, SMS; once a request';
REVOKE EXECUTE ON FUNCTION donors.fan_out(json) FROM PUBLIC;
