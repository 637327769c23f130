-- Who is there now. Whoever came in by the token, by sos:init or by another event of the case takes part in it; online is who is tracked by
-- the engine's presence: from entering until the last connection ends or nothing was heard for the setting presence_ttl.

CREATE OR REPLACE FUNCTION _sos.seen(sos_id text) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO sos.participants AS p (case_id, user_id, role, admitted) VALUES (seen.sos_id, pulse.user_id(), _sos.role(), false)
        ON CONFLICT ON CONSTRAINT participants_pkey DO UPDATE SET role = coalesce(pulse.claim('role'), p.role), last_seen_at = clock_timestamp()
$$;
COMMENT ON FUNCTION _sos.seen(text) IS 'the user of this call takes part in a case, and was heard of';

CREATE OR REPLACE FUNCTION _sos.in_room(user_id text, sos_id text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pulse.sessions(in_room.user_id) s WHERE s.ended_at IS NULL AND _sos.room(in_room.sos_id) = ANY (s.rooms))
$$;
COMMENT ON FUNCTION _sos.in_room(text, text) IS 'whether a user has a connected session in the room of a case';

CREATE OR REPLACE FUNCTION _sos.enter(sos_id text) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.track(_sos.room(enter.sos_id), json_build_object('role', _sos.role()), pulse.setting('sos', 'presence_ttl')::interval)
$$;
COMMENT ON FUNCTION _sos.enter(text) IS 'this session is present in the room of a case';
