-- What ends by itself: leases whose session is gone, whose ttl is over, or whose bridge is silent; and the end of the time after a
-- crash in which bridges write their leases again. Run by reports of bridges, which have others waiting behind them, so a little at a time,
-- and by the dispatcher, which goes on when there is more; one at a time. Never waits for anybody: what is locked is looked at again the
-- next time.

-- _pulse.sweep_leases(most integer) returns integer
-- Looks at no more than so many leases that are due; how many it dealt with. When it is less, there was no more, or somebody has locked the rest.
CREATE OR REPLACE FUNCTION _pulse.sweep_leases(most integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET jit = off AS $$
DECLARE
    v_user  text;
    v_users text[] := '{}';
    v_done  integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock('_pulse.presences'::regclass::oid::integer, 0) THEN
        RETURN 0;
    END IF;
    IF EXISTS (SELECT FROM _pulse.lease_bridges b WHERE b.bridge <> '') THEN
        PERFORM _pulse.end_silent_bridges(most * 10);
    END IF;
    IF NOT EXISTS (SELECT FROM _pulse.lease_bridges b WHERE b.bridge = '') THEN
        v_done := _pulse.end_rewriting(most);
        IF v_done >= most THEN
            RETURN v_done;
        END IF;
    END IF;
    FOR v_user IN SELECT DISTINCT d.user_id FROM (SELECT l.user_id FROM _pulse.leases l WHERE l.due_at <= clock_timestamp()
                                                  ORDER BY l.due_at LIMIT most) d LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock('_pulse.leases'::regclass::oid::integer, hashtext(v_user));
        v_users := v_users || v_user;
    END LOOP;
    IF v_users <> '{}' THEN
        v_done := v_done + _pulse.lapse_users(v_users);
    END IF;
    RETURN v_done;
END
$$;
COMMENT ON FUNCTION _pulse.sweep_leases(integer) IS 'ends the leases that are over; returns how many it dealt with';
REVOKE ALL ON FUNCTION _pulse.sweep_leases(integer) FROM PUBLIC;

-- _pulse.lapse_users(users text[]) returns integer
-- Of all these users in one go; when that fails, of each by itself: one whose event cannot be published must not keep the others.
CREATE OR REPLACE FUNCTION _pulse.lapse_users(users text[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_user text;
    v_done integer := 0;
BEGIN
    FOREACH v_user IN ARRAY users LOOP
        v_done := v_done + _pulse.lapse_leases(v_user);
    END LOOP;
    RETURN v_done;
EXCEPTION WHEN OTHERS THEN
    v_done := 0;
    FOREACH v_user IN ARRAY users LOOP
        BEGIN
            v_done := v_done + _pulse.lapse_leases(v_user);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'pulse: presence of a user stays as it is: %', SQLERRM;
            UPDATE _pulse.leases l SET due_at = clock_timestamp() + interval '1 minute' WHERE l.user_id = v_user AND l.due_at <= clock_timestamp();
        END;
    END LOOP;
    RETURN v_done;
END
$$;
COMMENT ON FUNCTION _pulse.lapse_users(text[]) IS 'ends the leases of users that are over';
REVOKE ALL ON FUNCTION _pulse.lapse_users(text[]) FROM PUBLIC;

-- _pulse.lapse_leases(user_id text) returns integer
-- The leases of a user that are due, under that user's lock. A ttl is over when the bridge has reported since then: until that the
-- session may have been active without anybody knowing it here.
CREATE OR REPLACE FUNCTION _pulse.lapse_leases(user_id text) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_now    timestamptz := clock_timestamp();
    v_grace  interval := _pulse.presence_grace();
    v_done   integer := 0;
    v_before json;
    v_seen   timestamptz;
    v_keep   boolean;
    v_lease  record;
BEGIN
    FOR v_lease IN
        SELECT l.room, l.session, l.expires_at, l.ttl, l.gone_at, l.lapsed, l.bridge IS NULL OR b.seen_at >= l.expires_at AS known
        FROM _pulse.leases l LEFT JOIN _pulse.bridges b ON b.id = l.bridge
        WHERE l.user_id = lapse_leases.user_id AND l.due_at <= v_now
        ORDER BY l.room, coalesce(l.gone_at, l.expires_at - l.ttl), l.session FOR UPDATE OF l SKIP LOCKED
    LOOP
        v_done := v_done + 1;
        v_keep := false;
        IF v_lease.lapsed THEN
            v_seen := NULL;
        ELSIF v_lease.expires_at = '-infinity' THEN
            v_seen := v_now;
        ELSIF v_lease.expires_at <= v_now AND (v_lease.gone_at IS NOT NULL OR v_lease.known) THEN
            v_seen := v_lease.expires_at - v_lease.ttl;
        ELSIF v_lease.gone_at + v_grace <= v_now THEN
            v_seen := v_lease.gone_at;
            v_keep := EXISTS (SELECT FROM _pulse.sessions s WHERE s.key = v_lease.session);
        ELSE   -- it was renewed meanwhile, or its bridge has not reported yet
            UPDATE _pulse.leases l SET due_at = CASE WHEN v_lease.expires_at IS NOT NULL OR v_lease.gone_at IS NOT NULL
                                                     THEN greatest(least(v_lease.expires_at, v_lease.gone_at + v_grace), v_now + interval '1 second') END
                WHERE l.user_id = lapse_leases.user_id AND l.room = v_lease.room AND l.session = v_lease.session;
            CONTINUE;
        END IF;
        v_before := _pulse.presence_state(v_lease.room, lapse_leases.user_id);
        IF v_keep THEN
            UPDATE _pulse.leases l SET lapsed = true, due_at = v_lease.gone_at + _pulse.recovery_window() + interval '1 minute'
                WHERE l.user_id = lapse_leases.user_id AND l.room = v_lease.room AND l.session = v_lease.session;
        ELSE
            DELETE FROM _pulse.leases l WHERE l.user_id = lapse_leases.user_id AND l.room = v_lease.room AND l.session = v_lease.session;
        END IF;
        IF v_seen IS NOT NULL THEN
            PERFORM _pulse.settle_presence(v_lease.room, lapse_leases.user_id, v_before, true, v_seen);
        END IF;
    END LOOP;
    RETURN v_done;
END
$$;
COMMENT ON FUNCTION _pulse.lapse_leases(text) IS 'ends the leases of a user that are over';
REVOKE ALL ON FUNCTION _pulse.lapse_leases(text) FROM PUBLIC;

-- _pulse.server_began_at() returns timestamptz
-- Nobody could report while the server was down: whatever is counted from a report is counted from its start at the earliest.
CREATE OR REPLACE FUNCTION _pulse.server_began_at() RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT e.opened_at FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1;
END;
COMMENT ON FUNCTION _pulse.server_began_at() IS 'when the epoch of this start of the server was opened';
REVOKE ALL ON FUNCTION _pulse.server_began_at() FROM PUBLIC;

-- _pulse.end_silent_bridges(most integer)
-- The connections of a bridge that was not heard of for 15 seconds ended when it was last heard of; at most so many leases a call and
-- bridge. Should it come back, it finds itself not complete here and writes its leases again.
CREATE OR REPLACE FUNCTION _pulse.end_silent_bridges(most integer) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_began  timestamptz := _pulse.server_began_at();
    v_grace  interval := _pulse.presence_grace();
    v_silent record;
BEGIN
    INSERT INTO _pulse.bridges (id, name) SELECT l.bridge, l.bridge FROM _pulse.lease_bridges l
        WHERE l.bridge <> '' AND NOT EXISTS (SELECT FROM _pulse.bridges b WHERE b.id = l.bridge) ON CONFLICT (id) DO NOTHING;
    FOR v_silent IN SELECT l.bridge, greatest(b.seen_at, v_began) AS seen FROM _pulse.lease_bridges l JOIN _pulse.bridges b ON b.id = l.bridge
                    WHERE greatest(b.seen_at, v_began) < clock_timestamp() - interval '15 seconds' LOOP
        UPDATE _pulse.lease_bridges l SET complete = false WHERE l.bridge = v_silent.bridge AND l.complete;   -- before anything else is
        WITH locked AS (
            SELECT l.user_id, l.room, l.session FROM _pulse.leases l WHERE l.bridge = v_silent.bridge AND l.gone_at IS NULL
            LIMIT most FOR UPDATE SKIP LOCKED)
        UPDATE _pulse.leases l SET gone_at = v_silent.seen, due_at = least(l.due_at, v_silent.seen + v_grace)
            FROM locked k WHERE l.user_id = k.user_id AND l.room = k.room AND l.session = k.session;
        DELETE FROM _pulse.lease_bridges l WHERE l.bridge = v_silent.bridge
            AND NOT EXISTS (SELECT FROM _pulse.leases o WHERE o.bridge = v_silent.bridge AND o.gone_at IS NULL);
    END LOOP;
END
$$;
COMMENT ON FUNCTION _pulse.end_silent_bridges(integer) IS 'the sessions of bridges that are silent are gone';
REVOKE ALL ON FUNCTION _pulse.end_silent_bridges(integer) FROM PUBLIC;

-- _pulse.end_rewriting(most integer) returns integer
-- After a crash, when every bridge that was alive before it has written its leases again, or 15 seconds later: who is in none of them
-- leaves, at most so many a call, and then every room with somebody in it is told to read its presence anew. How many left.
CREATE OR REPLACE FUNCTION _pulse.end_rewriting(most integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_began    timestamptz := _pulse.server_began_at();
    v_before   timestamptz := (SELECT max(b.seen_at) FROM _pulse.bridges b WHERE b.seen_at < v_began);
    v_presence record;
    v_count    integer := 0;
BEGIN
    IF v_began IS NULL OR clock_timestamp() < v_began + interval '15 seconds' AND EXISTS (
            SELECT FROM _pulse.bridges b WHERE (b.seen_at >= v_began OR b.seen_at >= v_before - interval '15 seconds')
            AND NOT EXISTS (SELECT FROM _pulse.lease_bridges l WHERE l.bridge = b.id AND l.complete)) THEN
        RETURN 0;
    END IF;
    FOR v_presence IN SELECT p.room, p.user_id FROM _pulse.presences p
                      WHERE NOT EXISTS (SELECT FROM _pulse.leases l WHERE l.user_id = p.user_id AND l.room = p.room) LIMIT most LOOP
        IF NOT pg_try_advisory_xact_lock('_pulse.leases'::regclass::oid::integer, hashtext(v_presence.user_id)) THEN
            RETURN v_count;   -- all of this again the next time
        END IF;
        v_count := v_count + 1;
        PERFORM _pulse.settle_presence(v_presence.room, v_presence.user_id, NULL, true, coalesce(v_before, v_began));
    END LOOP;
    IF v_count >= most THEN
        RETURN v_count;
    END IF;
    PERFORM pulse.publish(r.room, 'presence:sync', json_build_object('room', r.room)) 
        FROM (SELECT DISTINCT p.room FROM _pulse.presences p WHERE p.announced) r;
    INSERT INTO _pulse.lease_bridges (bridge, complete) VALUES ('', true);
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION _pulse.end_rewriting(integer) IS 'after a crash: who was not reported again leaves, and rooms are told to read their presence anew';
REVOKE ALL ON FUNCTION _pulse.end_rewriting(integer) FROM PUBLIC;
