-- The setting of this pack as a typed value, and the room of a family.

CREATE OR REPLACE FUNCTION care.alert_escalate_after() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('care', 'alert_escalate_after')::interval;
END;
COMMENT ON FUNCTION care.alert_escalate_after() IS 'setting care.alert_escalate_after: how long an alert waits for somebody';

CREATE OR REPLACE FUNCTION _care.room(family_id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'family:' || pulse.room_part(room.family_id);
END;
COMMENT ON FUNCTION _care.room(text) IS 'the room of a family';

