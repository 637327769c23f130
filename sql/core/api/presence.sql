-- Presence: who is in a room, with which state. Handlers track their session; what they ask for happens when they have succeeded.
-- Everything that changes a user's leases holds the advisory lock of that user: who comes first, who leaves last, and in which order
-- that is announced, is the same for everybody. docs/reference/presence.md.

-- pulse.track(room text, state json default '{}', ttl interval default null, announce boolean default true)
-- This session is in the room from here on, with this state. With a ttl it must be tracked or heard of again before that has passed.
CREATE OR REPLACE FUNCTION pulse.track(room text, state json DEFAULT '{}', ttl interval DEFAULT NULL, announce boolean DEFAULT true) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_track';
COMMENT ON FUNCTION pulse.track(text, json, interval, boolean) IS 'handlers and connect functions: this session''s user is present in a room, with a state';
GRANT EXECUTE ON FUNCTION pulse.track(text, json, interval, boolean) TO PUBLIC;

-- pulse.untrack(room text)
CREATE OR REPLACE FUNCTION pulse.untrack(room text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_untrack';
COMMENT ON FUNCTION pulse.untrack(text) IS 'handlers and connect functions: this session is not present in a room any more';
GRANT EXECUTE ON FUNCTION pulse.untrack(text) TO PUBLIC;

-- pulse.presence(room text)
-- Who is there. For pulse_publisher and pulse_admin; in a client's call the room's presence policy decides about everybody else.
CREATE OR REPLACE FUNCTION pulse.presence(room text)
    RETURNS TABLE (user_id text, state json, sessions integer, since timestamptz, last_seen timestamptz)
    LANGUAGE c STABLE PARALLEL UNSAFE ROWS 20 AS 'MODULE_PATHNAME', 'pulse_presence';
COMMENT ON FUNCTION pulse.presence(text) IS 'users who are present in a room, with state, connected sessions, since when, and when they were last seen';
GRANT EXECUTE ON FUNCTION pulse.presence(text) TO PUBLIC;

-- pulse.presence_count(room text) returns bigint
CREATE OR REPLACE FUNCTION pulse.presence_count(room text) RETURNS bigint
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_presence_count';
COMMENT ON FUNCTION pulse.presence_count(text) IS 'how many users are present in a room';
GRANT EXECUTE ON FUNCTION pulse.presence_count(text) TO PUBLIC;

-- pulse.last_seen(user_id text) returns timestamptz
-- Of somebody who is connected: when the bridge last said so. Null: never tracked, and no session is kept.
CREATE OR REPLACE FUNCTION pulse.last_seen(user_id text) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_last_seen';
COMMENT ON FUNCTION pulse.last_seen(text) IS 'when a user was last connected';
GRANT EXECUTE ON FUNCTION pulse.last_seen(text) TO PUBLIC;

-- _pulse.presence_grace() returns interval
CREATE OR REPLACE FUNCTION _pulse.presence_grace() RETURNS interval
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pulse.setting('pulse', 'presence_grace')::interval;
END
$$;
COMMENT ON FUNCTION _pulse.presence_grace() IS 'how long somebody whose connections ended is still present';
REVOKE ALL ON FUNCTION _pulse.presence_grace() FROM PUBLIC;

-- _pulse.presence_state(room text, user_id text) returns json
-- The state of a user in a room: of several sessions' the one that was tracked last. Null when nobody is there.
CREATE OR REPLACE FUNCTION _pulse.presence_state(room text, user_id text) RETURNS json
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT l.state FROM _pulse.leases l WHERE l.user_id = presence_state.user_id AND l.room = presence_state.room AND NOT l.lapsed
    ORDER BY l.tracked_at DESC, l.session DESC LIMIT 1;
END;
COMMENT ON FUNCTION _pulse.presence_state(text, text) IS 'state of a user in a room: the one that was tracked last';
REVOKE ALL ON FUNCTION _pulse.presence_state(text, text) FROM PUBLIC;

-- _pulse.settle_presence(room text, user_id text, before json, announce boolean, seen timestamptz)
-- After a change of a user's leases in a room: makes the presence follow them and announces what changed. before: the state until now;
-- announce: a new state is worth an event; seen: when the last lease was alive, should there be none any more.
CREATE OR REPLACE FUNCTION _pulse.settle_presence(room text, user_id text, before json, announce boolean, seen timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_now       timestamptz := clock_timestamp();
    v_state     json := _pulse.presence_state(settle_presence.room, settle_presence.user_id);
    v_wanted    boolean;
    v_announced boolean;
    v_present   boolean;
    v_event     text;
BEGIN
    SELECT bool_or(l.announce) INTO v_wanted
      FROM _pulse.leases l WHERE l.user_id = settle_presence.user_id AND l.room = settle_presence.room AND NOT l.lapsed;
    SELECT p.announced INTO v_announced FROM _pulse.presences p WHERE p.room = settle_presence.room AND p.user_id = settle_presence.user_id;
    v_present := FOUND;
    IF v_wanted IS NULL THEN
        IF NOT v_present THEN
            RETURN;
        END IF;
        DELETE FROM _pulse.presences p WHERE p.room = settle_presence.room AND p.user_id = settle_presence.user_id;
        INSERT INTO _pulse.last_seen AS s (user_id, at) VALUES (settle_presence.user_id, coalesce(settle_presence.seen, v_now))
            ON CONFLICT ON CONSTRAINT last_seen_pkey DO UPDATE SET at = greatest(s.at, excluded.at) RETURNING s.at INTO v_now;
        IF v_announced THEN
            PERFORM pulse.publish(settle_presence.room, 'presence:leave',
                                  json_build_object('userId', settle_presence.user_id, 'lastSeen', pulse.iso8601(v_now)));
        END IF;
        RETURN;
    END IF;
    IF NOT v_present THEN
        INSERT INTO _pulse.presences (room, user_id, since, announced) VALUES (settle_presence.room, settle_presence.user_id, v_now, v_wanted);
        v_event := CASE WHEN v_wanted THEN 'presence:join' END;
    ELSIF v_wanted AND NOT v_announced THEN
        UPDATE _pulse.presences p SET announced = true WHERE p.room = settle_presence.room AND p.user_id = settle_presence.user_id;
        v_event := 'presence:join';
    ELSIF v_announced AND settle_presence.announce AND v_state::text IS DISTINCT FROM settle_presence.before::text THEN
        v_event := 'presence:update';
    END IF;
    IF v_event IS NOT NULL THEN
        PERFORM pulse.publish(settle_presence.room, v_event,
                              json_build_object('userId', settle_presence.user_id, 'state', v_state, 'at', pulse.iso8601(v_now)));
    END IF;
END
$$;
COMMENT ON FUNCTION _pulse.settle_presence(text, text, json, boolean, timestamptz) IS 'makes a user''s presence in a room follow the leases, and announces what changed';
REVOKE ALL ON FUNCTION _pulse.settle_presence(text, text, json, boolean, timestamptz) FROM PUBLIC;

-- _pulse.lock_presence(user_id text)
CREATE OR REPLACE FUNCTION _pulse.lock_presence(user_id text) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_advisory_xact_lock('_pulse.leases'::regclass::oid::integer, hashtext(lock_presence.user_id));
END;
COMMENT ON FUNCTION _pulse.lock_presence(text) IS 'until the transaction ends nobody else changes the leases of this user';
REVOKE ALL ON FUNCTION _pulse.lock_presence(text) FROM PUBLIC;

-- _pulse.set_lease(room text, user_id text, session text, bridge text, state json, ttl interval, announce boolean, age interval, fresh boolean)
-- A session is in a room. fresh: it has just said so; else a lease that there is stays as it is. age: how long ago it was tracked.
CREATE OR REPLACE FUNCTION _pulse.set_lease(room text, user_id text, session text, bridge text, state json, ttl interval, announce boolean,
                                            age interval, fresh boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_now    timestamptz;
    v_before json;
BEGIN
    PERFORM _pulse.lock_presence(set_lease.user_id);
    v_now := clock_timestamp();
    v_before := _pulse.presence_state(set_lease.room, set_lease.user_id);
    IF set_lease.bridge IS NOT NULL AND NOT EXISTS (SELECT FROM _pulse.lease_bridges b WHERE b.bridge = set_lease.bridge) THEN
        INSERT INTO _pulse.lease_bridges (bridge, complete) VALUES (set_lease.bridge, false) ON CONFLICT ON CONSTRAINT lease_bridges_pkey DO NOTHING;
    END IF;
    INSERT INTO _pulse.leases AS l (user_id, room, session, bridge, state, announce, ttl, tracked_at, expires_at, due_at)
        VALUES (set_lease.user_id, set_lease.room, set_lease.session, set_lease.bridge, set_lease.state, set_lease.announce, set_lease.ttl,
                v_now - set_lease.age, v_now + set_lease.ttl, v_now + set_lease.ttl)
        ON CONFLICT ON CONSTRAINT leases_pkey DO UPDATE SET bridge = excluded.bridge, state = excluded.state, announce = l.announce OR excluded.announce,
            ttl = excluded.ttl, tracked_at = excluded.tracked_at, expires_at = excluded.expires_at, due_at = excluded.due_at, gone_at = NULL, lapsed = false
        WHERE set_lease.fresh OR l.lapsed OR l.gone_at IS NOT NULL;
    PERFORM _pulse.settle_presence(set_lease.room, set_lease.user_id, v_before, set_lease.announce AND set_lease.fresh, NULL);
END
$$;
COMMENT ON FUNCTION _pulse.set_lease(text, text, text, text, json, interval, boolean, interval, boolean) IS 'a session is present in a room';
REVOKE ALL ON FUNCTION _pulse.set_lease(text, text, text, text, json, interval, boolean, interval, boolean) FROM PUBLIC;

-- _pulse.end_lease(room text, user_id text, session text)
-- A session is not in a room any more, as of now and without grace.
CREATE OR REPLACE FUNCTION _pulse.end_lease(room text, user_id text, session text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_before json;
BEGIN
    PERFORM _pulse.lock_presence(end_lease.user_id);
    v_before := _pulse.presence_state(end_lease.room, end_lease.user_id);
    DELETE FROM _pulse.leases l WHERE l.user_id = end_lease.user_id AND l.room = end_lease.room AND l.session = end_lease.session;
    IF FOUND THEN
        PERFORM _pulse.settle_presence(end_lease.room, end_lease.user_id, v_before, true, clock_timestamp());
    END IF;
END
$$;
COMMENT ON FUNCTION _pulse.end_lease(text, text, text) IS 'a session is not present in a room any more';
REVOKE ALL ON FUNCTION _pulse.end_lease(text, text, text) FROM PUBLIC;

-- _pulse.resume_leases(session text, user_id text, bridge text) returns json
-- A session came back: its leases go on, also those that had lapsed. Returns them as the bridge keeps them.
CREATE OR REPLACE FUNCTION _pulse.resume_leases(session text, user_id text, bridge text) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_room   text;
    v_before json;
BEGIN
    PERFORM _pulse.lock_presence(resume_leases.user_id);
    FOR v_room IN SELECT l.room FROM _pulse.leases l WHERE l.session = resume_leases.session AND l.user_id = resume_leases.user_id
                  AND l.expires_at IS DISTINCT FROM '-infinity' ORDER BY l.room FOR UPDATE LOOP
        v_before := _pulse.presence_state(v_room, resume_leases.user_id);
        UPDATE _pulse.leases l SET bridge = resume_leases.bridge, gone_at = NULL, lapsed = false,
               expires_at = clock_timestamp() + l.ttl, due_at = clock_timestamp() + l.ttl
            WHERE l.user_id = resume_leases.user_id AND l.room = v_room AND l.session = resume_leases.session;
        PERFORM _pulse.settle_presence(v_room, resume_leases.user_id, v_before, true, NULL);
    END LOOP;
    IF FOUND THEN
        INSERT INTO _pulse.lease_bridges (bridge, complete) VALUES (resume_leases.bridge, false) ON CONFLICT ON CONSTRAINT lease_bridges_pkey DO NOTHING;
    END IF;
    RETURN (SELECT json_agg(json_build_object('room', l.room, 'state', l.state, 'ttl', (extract(epoch FROM l.ttl) * 1000)::bigint,
                                              'announce', l.announce) ORDER BY l.room)
            FROM _pulse.leases l WHERE l.session = resume_leases.session AND l.user_id = resume_leases.user_id
              AND l.expires_at IS DISTINCT FROM '-infinity');
END
$$;
COMMENT ON FUNCTION _pulse.resume_leases(text, text, text) IS 'the leases of a session that came back go on';
REVOKE ALL ON FUNCTION _pulse.resume_leases(text, text, text) FROM PUBLIC;

-- _pulse.gone_leases(sessions text[])
-- The connections of these sessions have ended. Rows are locked in one order, here and in the next two.
CREATE OR REPLACE FUNCTION _pulse.gone_leases(sessions text[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH locked AS (
        SELECT l.user_id, l.room, l.session FROM _pulse.leases l WHERE l.session = ANY (gone_leases.sessions) AND l.gone_at IS NULL
        ORDER BY l.session, l.room FOR UPDATE)
    UPDATE _pulse.leases l SET gone_at = clock_timestamp(), due_at = least(l.due_at, clock_timestamp() + _pulse.presence_grace())
    FROM locked k WHERE l.user_id = k.user_id AND l.room = k.room AND l.session = k.session;
END;
COMMENT ON FUNCTION _pulse.gone_leases(text[]) IS 'connections of sessions have ended: their leases lapse after the grace';
REVOKE ALL ON FUNCTION _pulse.gone_leases(text[]) FROM PUBLIC;

-- _pulse.left_leases(sessions text[], rooms text[])
-- Session n has left room n, or was put out of it: the next sweep ends the lease.
CREATE OR REPLACE FUNCTION _pulse.left_leases(sessions text[], rooms text[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH locked AS (
        SELECT l.user_id, l.room, l.session
        FROM unnest(left_leases.sessions, left_leases.rooms) c (session, room) JOIN _pulse.leases l ON l.session = c.session AND l.room = c.room
        ORDER BY l.session, l.room FOR UPDATE OF l)
    UPDATE _pulse.leases l SET expires_at = '-infinity', due_at = '-infinity'
    FROM locked k WHERE l.user_id = k.user_id AND l.room = k.room AND l.session = k.session;
END;
COMMENT ON FUNCTION _pulse.left_leases(text[], text[]) IS 'sessions have left rooms: their leases there end';
REVOKE ALL ON FUNCTION _pulse.left_leases(text[], text[]) FROM PUBLIC;

-- _pulse.renew_leases(sessions text[], idle bigint[])
-- Session n was active so many ms ago: its ttl counts from then.
CREATE OR REPLACE FUNCTION _pulse.renew_leases(sessions text[], idle bigint[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH locked AS (
        SELECT l.user_id, l.room, l.session, c.idle
        FROM unnest(renew_leases.sessions, renew_leases.idle) c (session, idle) JOIN _pulse.leases l ON l.session = c.session
        WHERE l.ttl IS NOT NULL AND l.gone_at IS NULL AND l.expires_at > '-infinity'
        ORDER BY l.session, l.room FOR UPDATE OF l)
    UPDATE _pulse.leases l SET expires_at = greatest(l.expires_at, clock_timestamp() - k.idle * interval '1 ms' + l.ttl)
    FROM locked k WHERE l.user_id = k.user_id AND l.room = k.room AND l.session = k.session;
END;
COMMENT ON FUNCTION _pulse.renew_leases(text[], bigint[]) IS 'sessions were active: the time to live of their leases begins anew';
REVOKE ALL ON FUNCTION _pulse.renew_leases(text[], bigint[]) FROM PUBLIC;
