-- Settings of this pack as typed values, and times as clients read them.

CREATE OR REPLACE FUNCTION donors.presence_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('donors', 'presence_ttl')::interval;
END;
COMMENT ON FUNCTION donors.presence_ttl() IS 'setting donors.presence_ttl: how long a donor stays available without activity';

CREATE OR REPLACE FUNCTION donors.search_radius_km() RETURNS double precision
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('donors', 'search_radius_km')::double precision;
END;
COMMENT ON FUNCTION donors.search_radius_km() IS 'setting donors.search_radius_km: radius of a blood request that names none';

CREATE OR REPLACE FUNCTION _donors.iso(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_char(iso.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
END;
COMMENT ON FUNCTION _donors.iso(timestamptz) IS 'ISO 8601 in UTC with milliseconds and Z';

CREATE OR REPLACE FUNCTION _donors.to_uuid(value text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN to_uuid.value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN to_uuid.value::uuid END;
END;
COMMENT ON FUNCTION _donors.to_uuid(text) IS 'the id that a client sent, or null when it is none';

-- ISO 8601 with a zone, or a number of milliseconds since 1970, which is what Date.now() gives.
CREATE OR REPLACE FUNCTION _donors.to_time(value text) RETURNS timestamptz
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
COMMENT ON FUNCTION _donors.to_time(text) IS 'the time that a client sent, or null when it is none';
