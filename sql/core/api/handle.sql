-- The one door for clients: the bridge calls the first ones; handlers answer by the others. docs/reference/bridge.md.

-- pulse.handle_connect(namespace text, context json) returns json
CREATE OR REPLACE FUNCTION pulse.handle_connect(namespace text, context json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle_connect';
COMMENT ON FUNCTION pulse.handle_connect(text, json) IS 'bridge: may a client connect to a namespace, and what does it get at once';
REVOKE ALL ON FUNCTION pulse.handle_connect(text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle_connect(text, json) TO pulse_bridge;

-- pulse.handle_refresh(namespace text, context json) returns json
CREATE OR REPLACE FUNCTION pulse.handle_refresh(namespace text, context json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle_refresh';
COMMENT ON FUNCTION pulse.handle_refresh(text, json) IS 'bridge: a session shows a newer token; which rooms may it be in now';
REVOKE ALL ON FUNCTION pulse.handle_refresh(text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle_refresh(text, json) TO pulse_bridge;

-- pulse.handle_event(namespace text, event text, args text, context text, attachments bytea[] default null) returns json
-- Runs the registered handler as pulse_client, limited by pulse.handler_timeout. Deferrable constraints are checked
-- before it returns and stay immediate until the transaction ends. args and context are JSON.
CREATE OR REPLACE FUNCTION pulse.handle_event(namespace text, event text, args text, context text, attachments bytea[] DEFAULT NULL) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle_event';
COMMENT ON FUNCTION pulse.handle_event(text, text, text, text, bytea[]) IS 'bridge: runs the handler of a client''s event';
REVOKE ALL ON FUNCTION pulse.handle_event(text, text, text, text, bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle_event(text, text, text, text, bytea[]) TO pulse_bridge;

-- pulse.handle(namespace text, event text, args json, context json, attachments bytea[] default null)
-- The same as a row: for SQL, and for bridges of 1.0.
CREATE OR REPLACE FUNCTION pulse.handle(namespace text, event text, args json, context json, attachments bytea[] DEFAULT NULL,
                                        OUT ack json, OUT effects json, OUT "position" text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle';
COMMENT ON FUNCTION pulse.handle(text, text, json, json, bytea[]) IS 'bridge: runs the handler of a client''s event, and returns a row';
REVOKE ALL ON FUNCTION pulse.handle(text, text, json, json, bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle(text, text, json, json, bytea[]) TO pulse_bridge;

-- pulse.decide(requests json) returns setof (n integer, allowed boolean, reason text, "position" text, recovered boolean, must_refetch text, since bigint, error json)
CREATE OR REPLACE FUNCTION pulse.decide(requests json, OUT n integer, OUT allowed boolean, OUT reason text, OUT "position" text,
                                        OUT recovered boolean, OUT must_refetch text, OUT since bigint, OUT error json)
    RETURNS SETOF record LANGUAGE c VOLATILE ROWS 100 AS 'MODULE_PATHNAME', 'pulse_decide';
COMMENT ON FUNCTION pulse.decide(json) IS 'bridge: asks the policies about many operations at once';
REVOKE ALL ON FUNCTION pulse.decide(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.decide(json) TO pulse_bridge;

-- pulse.handle_answer(on_answer text, args json, context json, attachments bytea[] default null)
-- What the client answered to pulse.ask; args null: nobody did. Runs the function as pulse_client, like a handler.
CREATE OR REPLACE FUNCTION pulse.handle_answer(on_answer text, args json, context json, attachments bytea[] DEFAULT NULL,
                                               OUT effects json, OUT "position" text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle_answer';
COMMENT ON FUNCTION pulse.handle_answer(text, json, json, bytea[]) IS 'bridge: runs the function that waits for a client''s answer';
REVOKE ALL ON FUNCTION pulse.handle_answer(text, json, json, bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle_answer(text, json, json, bytea[]) TO pulse_bridge;

-- pulse.handle_request(method text, path text, request json, context json) returns json
-- An HTTP request that the bridge does not answer itself; path is percent-decoded.
CREATE OR REPLACE FUNCTION pulse.handle_request(method text, path text, request json, context json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle_request';
COMMENT ON FUNCTION pulse.handle_request(text, text, json, json) IS 'bridge: runs the function registered for the path of an HTTP request';
REVOKE ALL ON FUNCTION pulse.handle_request(text, text, json, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle_request(text, text, json, json) TO pulse_bridge;

-- pulse.join(room text)
-- Lets this session join a room when the policy allows it; raises forbidden when not.
CREATE OR REPLACE FUNCTION pulse."join"(room text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_join';
COMMENT ON FUNCTION pulse."join"(text) IS 'handlers: joins this session to a room, when its policy allows it';
GRANT EXECUTE ON FUNCTION pulse."join"(text) TO PUBLIC;

-- pulse.leave(room text)
CREATE OR REPLACE FUNCTION pulse.leave(room text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_leave';
COMMENT ON FUNCTION pulse.leave(text) IS 'handlers: takes this session out of a room';
GRANT EXECUTE ON FUNCTION pulse.leave(text) TO PUBLIC;

-- pulse.reply(event text, payload json)
-- Sends an event to this session alone, not through the log.
CREATE OR REPLACE FUNCTION pulse.reply(event text, payload json) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_reply';
COMMENT ON FUNCTION pulse.reply(text, json) IS 'handlers: sends an event to this session alone';
GRANT EXECUTE ON FUNCTION pulse.reply(text, json) TO PUBLIC;

-- pulse.reply_args(event text, args json)
-- The same with any number of arguments, the elements of an array.
CREATE OR REPLACE FUNCTION pulse.reply_args(event text, args json) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_reply_args';
COMMENT ON FUNCTION pulse.reply_args(text, json) IS 'handlers: sends an event with several arguments to this session alone';
GRANT EXECUTE ON FUNCTION pulse.reply_args(text, json) TO PUBLIC;

-- pulse.ask(event text, payload json, timeout interval default '10 s', on_answer text default null)
-- Sends an event to this session alone and asks for an ack. on_answer(args json) returns json is called with the ack's arguments, or
-- with null when none came in time or the client left; it runs like a handler, and its result is ignored.
CREATE OR REPLACE FUNCTION pulse.ask(event text, payload json, timeout interval DEFAULT '10 s', on_answer text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_ask';
COMMENT ON FUNCTION pulse.ask(text, json, interval, text) IS 'handlers: sends an event to this session alone and waits for its answer';
GRANT EXECUTE ON FUNCTION pulse.ask(text, json, interval, text) TO PUBLIC;

-- pulse.attach(bytes bytea) returns json
-- Gives the placeholder that stands for these bytes in a result, or in a payload of pulse.reply or pulse.ask.
CREATE OR REPLACE FUNCTION pulse.attach(bytes bytea) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_attach';
COMMENT ON FUNCTION pulse.attach(bytea) IS 'handlers: a placeholder for bytes, to be put into an answer or a payload';
GRANT EXECUTE ON FUNCTION pulse.attach(bytea) TO PUBLIC;

-- pulse.disconnect(reason text)
CREATE OR REPLACE FUNCTION pulse.disconnect(reason text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_disconnect';
COMMENT ON FUNCTION pulse.disconnect(text) IS 'handlers: ends this session''s connection';
GRANT EXECUTE ON FUNCTION pulse.disconnect(text) TO PUBLIC;

-- pulse.fail(code text, message text, hint text default null, details json default null) returns json
-- Raises an error that the client sees; the members of the object details stand beside its code and message. Never returns; the type
-- lets it stand where a handler's result stands.
CREATE OR REPLACE FUNCTION pulse.fail(code text, message text, hint text DEFAULT NULL, details json DEFAULT NULL) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_fail';
COMMENT ON FUNCTION pulse.fail(text, text, text, json) IS 'raises an error that the client sees: code, message, hint and further members';
GRANT EXECUTE ON FUNCTION pulse.fail(text, text, text, json) TO PUBLIC;

-- pulse.http_response(status integer, body json default null, headers json default '{}') returns json
-- In a route: sets status and headers of the answer, and returns body, for the route to return. The last call counts.
CREATE OR REPLACE FUNCTION pulse.http_response(status integer, body json DEFAULT NULL, headers json DEFAULT '{}') RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_http_response';
COMMENT ON FUNCTION pulse.http_response(integer, json, json) IS 'routes: status and headers of the answer; returns the body';
GRANT EXECUTE ON FUNCTION pulse.http_response(integer, json, json) TO PUBLIC;
