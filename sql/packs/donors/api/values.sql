-- Settings of this pack as typed values.

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

CREATE OR REPLACE FUNCTION donors.sms_after() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('donors', 'sms_after')::interval;
END;
COMMENT ON FUNCTION donors.sms_after() IS 'setting donors.sms_after: when those who have not answered get an SMS';

