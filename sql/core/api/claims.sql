-- Who asks: what handlers, policies and connect functions read. Null outside the bridge's calls. Nothing that SQL can do
-- changes them; the setting request.jwt.claims holds a copy of the claims for row security written for PostgREST.

-- pulse.claims() returns json
CREATE OR REPLACE FUNCTION pulse.claims() RETURNS json
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_claims';
COMMENT ON FUNCTION pulse.claims() IS 'the verified claims of the client';
GRANT EXECUTE ON FUNCTION pulse.claims() TO PUBLIC;

-- pulse.claim(name text) returns text
-- A string without its quotes, anything else as JSON text; null when the claim is missing or null.
CREATE OR REPLACE FUNCTION pulse.claim(name text) RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_claim';
COMMENT ON FUNCTION pulse.claim(text) IS 'one verified claim of the client';
GRANT EXECUTE ON FUNCTION pulse.claim(text) TO PUBLIC;

-- pulse.user_id() returns text
-- Null for an anonymous client.
CREATE OR REPLACE FUNCTION pulse.user_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_user_id';
COMMENT ON FUNCTION pulse.user_id() IS 'the verified user id of the client';
GRANT EXECUTE ON FUNCTION pulse.user_id() TO PUBLIC;

-- pulse.session_id() returns text
-- The key of the session, the same for a client that comes back and is recovered; good for pulse.publish(…, except_session => …).
CREATE OR REPLACE FUNCTION pulse.session_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_session_id';
COMMENT ON FUNCTION pulse.session_id() IS 'the session of the client, the same over reconnects that recover it';
GRANT EXECUTE ON FUNCTION pulse.session_id() TO PUBLIC;

-- pulse.socket_id() returns text
CREATE OR REPLACE FUNCTION pulse.socket_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_socket_id';
COMMENT ON FUNCTION pulse.socket_id() IS 'the socket of the client, as it knows it';
GRANT EXECUTE ON FUNCTION pulse.socket_id() TO PUBLIC;

-- pulse.attachments() returns bytea[]
-- The binary arguments of the event; {"_placeholder":true,"num":0} in args stands for the first.
CREATE OR REPLACE FUNCTION pulse.attachments() RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_attachments';
COMMENT ON FUNCTION pulse.attachments() IS 'the binary arguments of the event being handled';
GRANT EXECUTE ON FUNCTION pulse.attachments() TO PUBLIC;

-- pulse.auth() returns json
-- What the client said when it connected, as it was sent, with the token: of Socket.IO the auth object, of the native protocol the
-- connect message. In connect functions; null elsewhere, and when it said nothing.
CREATE OR REPLACE FUNCTION pulse.auth() RETURNS json
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_auth';
COMMENT ON FUNCTION pulse.auth() IS 'connect functions: what the client said when it connected, as it was sent';
GRANT EXECUTE ON FUNCTION pulse.auth() TO PUBLIC;

-- pulse.session_data() returns json
-- The data of the connect functions, united; kept with the session. Null when they gave none.
CREATE OR REPLACE FUNCTION pulse.session_data() RETURNS json
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_session_data';
COMMENT ON FUNCTION pulse.session_data() IS 'the data that connect functions gave to this session';
GRANT EXECUTE ON FUNCTION pulse.session_data() TO PUBLIC;

-- pulse.is_own_user_room(claims json, room text, params json) returns boolean
-- The engine's policy of user:{userId}.
CREATE OR REPLACE FUNCTION pulse.is_own_user_room(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT COALESCE((params ->> 'userId') = pulse.user_id(), false);
END;
COMMENT ON FUNCTION pulse.is_own_user_room(json, text, json) IS 'policy: a user''s room is for that user alone';
REVOKE ALL ON FUNCTION pulse.is_own_user_room(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.is_own_user_room(json, text, json) TO pulse_client;
