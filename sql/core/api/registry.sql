-- Registrations: effective at once on a running system. Functions are given by name or signature, run as pulse_client,
-- and are stored by name: a function replaced later is the one that runs. Registering again replaces.

-- pulse.policy(pattern text, operation text, function text)
-- Lets function(claims json, room text, params json) returns boolean decide about join, publish, history or presence
-- on rooms like emergency:{id}; params holds what the placeholders matched. Without a policy nobody may.
CREATE OR REPLACE FUNCTION pulse.policy(pattern text, operation text, function text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_policy';
COMMENT ON FUNCTION pulse.policy(text, text, text) IS 'lets a function decide about an operation on rooms of a pattern';
REVOKE ALL ON FUNCTION pulse.policy(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.policy(text, text, text) TO pulse_admin;

-- pulse.drop_policy(pattern text, operation text) returns boolean
-- Takes the application's policy away; a pack's own one counts again. Inside a pack's script: the pack's.
CREATE OR REPLACE FUNCTION pulse.drop_policy(pattern text, operation text) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_policy';
COMMENT ON FUNCTION pulse.drop_policy(text, text) IS 'takes a policy away; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_policy(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_policy(text, text) TO pulse_admin;

-- pulse.explain_access(claims json, operation text, room text) returns table (allowed boolean, pattern text, function text, extension text, reason text)
-- What the policies say to a client with these claims, and which one decides: that one is run. extension: the pack that registered it.
CREATE OR REPLACE FUNCTION pulse.explain_access(claims json, operation text, room text, OUT allowed boolean, OUT pattern text, OUT function text,
                                                OUT extension text, OUT reason text)
    RETURNS SETOF record LANGUAGE c VOLATILE ROWS 1 AS 'MODULE_PATHNAME', 'pulse_explain_access';
COMMENT ON FUNCTION pulse.explain_access(json, text, text) IS 'whether a client with these claims may, which policy decides, and why';
REVOKE ALL ON FUNCTION pulse.explain_access(json, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.explain_access(json, text, text) TO pulse_admin;

-- pulse.on(event text, function text, namespace text default '/', key text default null)
-- Lets function(args json) returns json handle an event of clients. args is the array of the event's arguments; an array
-- returned is the ack's arguments, NULL none, anything else the one argument. key, like '{requestId}' over the members
-- of the first argument, makes retried calls of a user get the first answer.
CREATE OR REPLACE FUNCTION pulse."on"(event text, function text, namespace text DEFAULT '/', key text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_on';
COMMENT ON FUNCTION pulse."on"(text, text, text, text) IS 'lets a function handle an event of clients';
REVOKE ALL ON FUNCTION pulse."on"(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse."on"(text, text, text, text) TO pulse_admin;

-- pulse.drop_handler(event text, namespace text default '/') returns boolean
CREATE OR REPLACE FUNCTION pulse.drop_handler(event text, namespace text DEFAULT '/') RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_handler';
COMMENT ON FUNCTION pulse.drop_handler(text, text) IS 'takes a handler away; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_handler(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_handler(text, text) TO pulse_admin;

-- pulse.namespace(name text, connect text)
-- Makes a namespace exist and lets connect(claims json) returns json greet its clients with {"rooms":[…],"data":{…}} or
-- null. Any number a namespace: their rooms are united, and one that raises refuses. '/' exists by itself.
CREATE OR REPLACE FUNCTION pulse.namespace(name text, connect text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_namespace';
COMMENT ON FUNCTION pulse.namespace(text, text) IS 'adds a connect function to a namespace';
REVOKE ALL ON FUNCTION pulse.namespace(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.namespace(text, text) TO pulse_admin;

-- pulse.drop_namespace(name text, connect text default null) returns integer
-- Takes one connect function away, or all of the application's there; returns how many.
CREATE OR REPLACE FUNCTION pulse.drop_namespace(name text, connect text DEFAULT NULL) RETURNS integer
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_namespace';
COMMENT ON FUNCTION pulse.drop_namespace(text, text) IS 'takes connect functions of a namespace away; how many';
REVOKE ALL ON FUNCTION pulse.drop_namespace(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_namespace(text, text) TO pulse_admin;

-- pulse.stream(path text, function text, auth text default 'jwt')
-- Lets function(request json) returns json open an event stream for GET requests to path, like /api/orders/{id}/stream: it gives
-- {"rooms":[…],"events":["…"]?,"first":[{"event":"…","data":…}]?}, or null for not found. auth: jwt (a token is needed), none, or
-- internal (only with the internal token, on the internal listener).
CREATE OR REPLACE FUNCTION pulse.stream(path text, function text, auth text DEFAULT 'jwt') RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_stream';
COMMENT ON FUNCTION pulse.stream(text, text, text) IS 'lets a function open an event stream for HTTP requests to a path';
REVOKE ALL ON FUNCTION pulse.stream(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.stream(text, text, text) TO pulse_admin;

-- pulse.unstream(path text) returns boolean
CREATE OR REPLACE FUNCTION pulse.unstream(path text) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_unstream';
COMMENT ON FUNCTION pulse.unstream(text) IS 'takes a stream away; whether there was one';
REVOKE ALL ON FUNCTION pulse.unstream(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.unstream(text) TO pulse_admin;

-- pulse.route(method text, path text, function text, auth text default 'jwt')
-- Lets function(request json) returns json answer HTTP requests of a method to a path, like /api/orders/{id}: 200 with what it returns,
-- 204 for NULL, or what pulse.http_response and pulse.fail say. GET answers HEAD too. auth as for pulse.stream.
CREATE OR REPLACE FUNCTION pulse.route(method text, path text, function text, auth text DEFAULT 'jwt') RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_route';
COMMENT ON FUNCTION pulse.route(text, text, text, text) IS 'lets a function answer HTTP requests to a path';
REVOKE ALL ON FUNCTION pulse.route(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.route(text, text, text, text) TO pulse_admin;

-- pulse.unroute(method text, path text) returns boolean
CREATE OR REPLACE FUNCTION pulse.unroute(method text, path text) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_unroute';
COMMENT ON FUNCTION pulse.unroute(text, text) IS 'takes a route away; whether there was one';
REVOKE ALL ON FUNCTION pulse.unroute(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.unroute(text, text) TO pulse_admin;

-- _pulse.running_extension() returns text
-- The extension whose script is running, else null.
CREATE OR REPLACE FUNCTION _pulse.running_extension() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_running_extension';
COMMENT ON FUNCTION _pulse.running_extension() IS 'the extension whose script is running';
REVOKE ALL ON FUNCTION _pulse.running_extension() FROM PUBLIC;

-- _pulse.forget_dropped_packs() returns event_trigger
CREATE OR REPLACE FUNCTION _pulse.forget_dropped_packs() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() o WHERE o.object_type = 'extension') THEN
        RETURN;
    END IF;
    DELETE FROM _pulse.policies p WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = p.extension) AND p.extension IS NOT NULL;
    DELETE FROM _pulse.handlers h WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = h.extension) AND h.extension IS NOT NULL;
    DELETE FROM _pulse.namespaces n WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = n.extension) AND n.extension IS NOT NULL;
    DELETE FROM _pulse.streams s WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = s.extension) AND s.extension IS NOT NULL;
    DELETE FROM _pulse.limits l WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = l.extension) AND l.extension IS NOT NULL;
    DELETE FROM _pulse.limit_events l WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = l.extension) AND l.extension IS NOT NULL;
    DELETE FROM _pulse.routes r WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = r.extension) AND r.extension IS NOT NULL;
    DELETE FROM _pulse.queues q WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = q.extension) AND q.extension IS NOT NULL;
    DELETE FROM _pulse.job_kinds k WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = k.extension) AND k.extension IS NOT NULL;
    DELETE FROM _pulse.schedules s WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = s.extension) AND s.extension IS NOT NULL;
    DELETE FROM _pulse.setting_definitions d WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = d.extension) AND d.extension IS NOT NULL;
END
$$;
COMMENT ON FUNCTION _pulse.forget_dropped_packs() IS 'event trigger: a dropped pack takes its registrations with it';
REVOKE ALL ON FUNCTION _pulse.forget_dropped_packs() FROM PUBLIC;

-- _pulse.handlers_changed() returns trigger
CREATE OR REPLACE FUNCTION _pulse.handlers_changed() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handlers_changed';
COMMENT ON FUNCTION _pulse.handlers_changed() IS 'trigger: tells every backend that handlers have changed';
REVOKE ALL ON FUNCTION _pulse.handlers_changed() FROM PUBLIC;
