-- Sessions: kept by pulse.handle_connect, decide and handle; ended by the bridge that holds them. docs/reference/sessions.md.

-- _pulse.recovery_window() returns interval
-- How long an ended session is kept.
CREATE OR REPLACE FUNCTION _pulse.recovery_window() RETURNS interval
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pulse.setting('pulse', 'recovery_window')::interval;
END
$$;
COMMENT ON FUNCTION _pulse.recovery_window() IS 'how long an ended session can be continued';
REVOKE ALL ON FUNCTION _pulse.recovery_window() FROM PUBLIC;

-- pulse.bridge_sessions(bridge text, changes json) returns json
-- A bridge's report, at least every 5 seconds, also with nothing to say. Deletes a bounded number of old sessions on the way.
-- {"leases":"token"}: the bridge is to write the leases of its sessions, and to end with that token; null: they are here.
CREATE OR REPLACE FUNCTION pulse.bridge_sessions(bridge text, changes json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_bridge_sessions';
COMMENT ON FUNCTION pulse.bridge_sessions(text, json) IS 'bridge: what became of its sessions, and that it is alive';
REVOKE ALL ON FUNCTION pulse.bridge_sessions(text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_sessions(text, json) TO pulse_bridge;

-- pulse.sessions(user_id text)
-- The sessions of a user that are connected or can still be continued. ended_at is null while connected.
CREATE OR REPLACE FUNCTION pulse.sessions(user_id text)
    RETURNS TABLE (session_id text, namespace text, socket_id text, bridge text, rooms text[], connected_at timestamptz, ended_at timestamptz,
                   device text)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 3 SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.key, s.namespace, s.socket_id, coalesce(b.name, s.bridge), s.rooms, s.connected_at, s.ended, s.device
    FROM _pulse.session_states s LEFT JOIN _pulse.bridges b ON b.id = s.bridge
    WHERE s.user_id = sessions.user_id AND (s.ended IS NULL OR s.ended >= clock_timestamp() - _pulse.recovery_window())
    ORDER BY s.connected_at, s.key;
END;
COMMENT ON FUNCTION pulse.sessions(text) IS 'sessions of a user that are connected or can still be continued';
REVOKE ALL ON FUNCTION pulse.sessions(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.sessions(text) TO pulse_admin;

-- _pulse.forget_sessions(most integer) returns integer
-- Deletes at most so many sessions that nobody can continue any more, and what goes with them; how many sessions. Those of a bridge that
-- is silent stay for an hour more: it may be cut off and have them still, and then it needs what is stored of them. Each bridge that
-- has sessions is found by skipping through the index; one that never reported counts as seen now. One call at a time works, the
-- others return at once: two that are reporting could otherwise wait for each other's rows.
CREATE OR REPLACE FUNCTION _pulse.forget_sessions(most integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET jit = off AS $$
DECLARE
    v_before timestamptz := clock_timestamp() - _pulse.recovery_window();
    v_bridge text;
    v_dead boolean;
    v_done integer := 0;
    v_count integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock('_pulse.sessions'::regclass::oid::integer, 0) THEN
        RETURN 0;
    END IF;
    SELECT min(s.bridge) INTO v_bridge FROM _pulse.sessions s;
    WHILE v_bridge IS NOT NULL LOOP
        INSERT INTO _pulse.bridges (id, name) VALUES (v_bridge, v_bridge) ON CONFLICT (id) DO NOTHING;
        v_dead := NOT EXISTS (SELECT FROM _pulse.bridges b WHERE b.id = v_bridge
                              AND greatest(b.seen_at, (SELECT e.opened_at FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1))
                                  >= least(v_before, clock_timestamp() - interval '15 seconds') - interval '1 hour');
        IF v_dead THEN
            DELETE FROM _pulse.sessions s WHERE s.key = ANY (ARRAY(
                SELECT o.key FROM _pulse.sessions o WHERE o.bridge = v_bridge LIMIT most - v_done FOR UPDATE SKIP LOCKED));
        ELSE
            DELETE FROM _pulse.sessions s WHERE s.key = ANY (ARRAY(
                SELECT o.key FROM _pulse.sessions o WHERE o.bridge = v_bridge AND o.ended_at < v_before
                ORDER BY o.ended_at LIMIT most - v_done FOR UPDATE SKIP LOCKED));
        END IF;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_done := v_done + v_count;
        EXIT WHEN v_done >= most;
        SELECT min(s.bridge) INTO v_bridge FROM _pulse.sessions s WHERE s.bridge > v_bridge;
    END LOOP;
    IF v_done < most THEN
        DELETE FROM _pulse.bridges b WHERE b.seen_at < least(v_before, clock_timestamp() - interval '1 minute')   -- one that has none
            AND NOT EXISTS (SELECT FROM _pulse.sessions s WHERE s.bridge = b.id);
    END IF;
    DELETE FROM _pulse.revocations r WHERE r.ctid = ANY (ARRAY(
        SELECT o.ctid FROM _pulse.revocations o WHERE o.expires_at < clock_timestamp() ORDER BY o.expires_at LIMIT most FOR UPDATE SKIP LOCKED));
    RETURN v_done;
END
$$;
COMMENT ON FUNCTION _pulse.forget_sessions(integer) IS 'deletes sessions that nobody can continue any more';
REVOKE ALL ON FUNCTION _pulse.forget_sessions(integer) FROM PUBLIC;
