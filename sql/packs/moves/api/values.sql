-- Settings of this pack as typed values; positions as clients read them.

CREATE OR REPLACE FUNCTION moves.location_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'location_ttl')::interval;
END;
COMMENT ON FUNCTION moves.location_ttl() IS 'setting moves.location_ttl: how long a porter''s last position is kept';

CREATE OR REPLACE FUNCTION moves.location_sample() RETURNS integer
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'location_sample')::integer;
END;
COMMENT ON FUNCTION moves.location_sample() IS 'setting moves.location_sample: one position in so many is kept for good';

CREATE OR REPLACE FUNCTION moves.offer_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'offer_ttl')::interval;
END;
COMMENT ON FUNCTION moves.offer_ttl() IS 'setting moves.offer_ttl: how long a job offer can be accepted';

CREATE OR REPLACE FUNCTION moves.access_token_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'access_token_ttl')::interval;
END;
COMMENT ON FUNCTION moves.access_token_ttl() IS 'setting moves.access_token_ttl: how long an access token is good';

CREATE OR REPLACE FUNCTION moves.socket_token_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'socket_token_ttl')::interval;
END;
COMMENT ON FUNCTION moves.socket_token_ttl() IS 'setting moves.socket_token_ttl: how long a socket token is good';

CREATE OR REPLACE FUNCTION moves.session_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'session_ttl')::interval;
END;
COMMENT ON FUNCTION moves.session_ttl() IS 'setting moves.session_ttl: how long a reconnect token is good';

CREATE OR REPLACE FUNCTION moves.subscription_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('moves', 'subscription_ttl')::interval;
END;
COMMENT ON FUNCTION moves.subscription_ttl() IS 'setting moves.subscription_ttl: how long a reconnect token brings a room back';

CREATE OR REPLACE FUNCTION _moves.position_json(latitude double precision, longitude double precision) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN position_json.latitude IS NOT NULL
                THEN json_build_object('latitude', position_json.latitude, 'longitude', position_json.longitude) END;
END;
COMMENT ON FUNCTION _moves.position_json(double precision, double precision) IS '{latitude, longitude}, or null';
