-- The setting of this pack as a typed value, and values as clients read and send them.

CREATE OR REPLACE FUNCTION care.alert_escalate_after() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('care', 'alert_escalate_after')::interval;
END;
COMMENT ON FUNCTION care.alert_escalate_after() IS 'setting care.alert_escalate_after: how long an alert waits for somebody';

CREATE OR REPLACE FUNCTION _care.iso(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_char(iso.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
END;
COMMENT ON FUNCTION _care.iso(timestamptz) IS 'ISO 8601 in UTC with milliseconds and Z';

CREATE OR REPLACE FUNCTION _care.to_uuid(value text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN to_uuid.value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN to_uuid.value::uuid END;
END;
COMMENT ON FUNCTION _care.to_uuid(text) IS 'the id that a client sent, or null when it is none';

-- ISO 8601 with a zone, or a number of milliseconds since 1970, which is what Date.now() gives.
CREATE OR REPLACE FUNCTION _care.to_time(value text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_time.value ~ '^\d{1,15}(\.\d+)?$' THEN
        RETURN to_timestamp(to_time.value::double precision / 1000);
    ELSIF to_time.value ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$' THEN
        RETURN to_time.value::timestamptz;
    END IF;
    RETURN NULL;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format THEN
    RETURN NULL;   -- the 30th of February
END
$$;
COMMENT ON FUNCTION _care.to_time(text) IS 'the time that a client sent, or null when it is none';

-- As pulse.watch writes a value into a room's name.
CREATE OR REPLACE FUNCTION _care.room(family_id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'family:' || replace(replace(room.family_id, '%', '%25'), ':', '%3A');
END;
COMMENT ON FUNCTION _care.room(text) IS 'the room of a family';

CREATE OR REPLACE FUNCTION _care.user_room(user_id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'user:' || replace(replace(user_room.user_id, '%', '%25'), ':', '%3A');
END;
COMMENT ON FUNCTION _care.user_room(text) IS 'the engine''s room of a user';
