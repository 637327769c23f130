-- Settings of this pack as typed values, and the room of a case.

CREATE OR REPLACE FUNCTION sos.state_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('sos', 'state_ttl')::interval;
END;
COMMENT ON FUNCTION sos.state_ttl() IS 'setting sos.state_ttl: how long a case lives after its last change';

CREATE OR REPLACE FUNCTION sos.closed_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('sos', 'closed_ttl')::interval;
END;
COMMENT ON FUNCTION sos.closed_ttl() IS 'setting sos.closed_ttl: how long a closed case can still be read';

CREATE OR REPLACE FUNCTION _sos.room(sos_id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'sos:' || pulse.room_part(room.sos_id);
END;
COMMENT ON FUNCTION _sos.room(text) IS 'the room of a case';
