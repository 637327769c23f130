-- What most end-to-end tests need: rooms anybody signed in may join, rooms nobody may, and a few handlers.
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO pulse_client;

CREATE FUNCTION app.allow(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION app.only_named(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql IMMUTABLE RETURN claims->>'userId' = params->>'name';
CREATE FUNCTION app.broken_policy(claims json, room text, params json) RETURNS boolean
    LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the secret plan of policies'; END $$;
SELECT pulse.policy('open:{id}', 'join', 'app.allow');
SELECT pulse.policy('named:{name}', 'join', 'app.only_named');
SELECT pulse.policy('broken:{id}', 'join', 'app.broken_policy');

CREATE FUNCTION app.echo(args json) RETURNS json LANGUAGE sql IMMUTABLE RETURN args;
CREATE FUNCTION app.who(args json) RETURNS json LANGUAGE sql STABLE
    RETURN json_build_object('user', pulse.user_id(), 'role', pulse.claim('role'), 'as', current_user);
CREATE FUNCTION app.refuse(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pulse.fail('conflict', 'already taken', 'take another one'); END $$;
CREATE FUNCTION app.crash(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the secret plan of handlers'; END $$;
CREATE FUNCTION app.escape(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN RESET ROLE; RETURN to_json(current_user); END $$;
CREATE FUNCTION app.endless(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;
CREATE FUNCTION app.nap(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep((args->>0)::float8); RETURN json_build_object('slept', args->0); END $$;
CREATE FUNCTION app.enter(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pulse.join(args->>0); PERFORM pulse.reply('welcome', json_build_object('room', args->>0)); RETURN '{"ok":true}'; END $$;
SELECT pulse.on('echo', 'app.echo');
SELECT pulse.on('who', 'app.who');
SELECT pulse.on('refuse', 'app.refuse');
SELECT pulse.on('crash', 'app.crash');
SELECT pulse.on('escape', 'app.escape');
SELECT pulse.on('endless', 'app.endless');
SELECT pulse.on('nap', 'app.nap');
SELECT pulse.on('enter', 'app.enter');
