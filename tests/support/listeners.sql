-- For tests of event streams and long-polls, over rooms.sql: rooms whose past may be read too, doors that open and close, and streams.
SELECT pulse.policy('open:{id}', 'history', 'app.allow');
SELECT pulse.policy('live:{id}', 'join', 'app.allow');

CREATE TABLE app.doors (name text PRIMARY KEY, open boolean);
CREATE FUNCTION app.door(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = app, pg_temp RETURN coalesce((SELECT d.open FROM app.doors d WHERE d.name = params->>'name'), false);
SELECT pulse.policy('door:{name}', 'join', 'app.door');
SELECT pulse.policy('door:{name}', 'history', 'app.door');

CREATE FUNCTION app.order_stream(request json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF request -> 'params' ->> 'id' = 'none' THEN RETURN NULL; END IF;
    IF request -> 'params' ->> 'id' = 'secret' THEN PERFORM pulse.fail('forbidden', 'not your order'); END IF;
    IF request -> 'params' ->> 'id' = 'crash' THEN RAISE EXCEPTION 'the secret plan of streams'; END IF;
    RETURN json_build_object('rooms', json_build_array('order:' || (request -> 'params' ->> 'id')), 'events', json_build_array('order:changed'),
        'first', json_build_array(json_build_object('event', 'request', 'data', json_build_object(
            'user', pulse.user_id(), 'as', current_user, 'query', request -> 'query', 'method', request ->> 'method',
            'agent', request -> 'headers' ->> 'x-agent', 'secret', request -> 'headers' ->> 'authorization', 'last', request ->> 'lastEventId'))));
END $$;
CREATE FUNCTION app.locked_stream(request json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN '{"rooms":[]}'; END $$;
SELECT pulse.stream('/api/locked/stream', 'app.locked_stream');
SELECT pulse.stream('/api/orders/{id}/stream', 'app.order_stream');
SELECT pulse.stream('/api/open/{id}/stream', 'app.order_stream', 'none');
SELECT pulse.stream('/internal/orders/{id}/stream', 'app.order_stream', 'internal');
