-- An application for stock clients, over rooms.sql: what a client can send and be sent beyond echo and join.
CREATE FUNCTION app.digest(args json) RETURNS json LANGUAGE sql STABLE RETURN (
    SELECT json_build_object('args', args, 'md5', json_agg(md5(attachment) ORDER BY nth))
    FROM unnest(pulse.attachments()) WITH ORDINALITY AS a(attachment, nth));
CREATE FUNCTION app.leave_me(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pulse.disconnect('asked for it'); RETURN '{"ok":true}'; END $$;
-- What clients sent, in the order of handling.
CREATE TABLE app.said (id bigint GENERATED ALWAYS AS IDENTITY, user_id text, args json);
CREATE FUNCTION app.say(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN INSERT INTO app.said (user_id, args) VALUES (pulse.user_id(), args); RETURN '{"ok":true}'; END $$;
CREATE FUNCTION app.connect_desk(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF claims->>'role' IS DISTINCT FROM 'clerk' THEN PERFORM pulse.fail('forbidden', 'clerks only'); END IF;
    RETURN '{"rooms":["desk:all"]}';
END $$;
SELECT pulse.on('digest', 'app.digest');
SELECT pulse.on('leave-me', 'app.leave_me');
SELECT pulse.on('say', 'app.say');
SELECT pulse.on('echo', 'app.echo', namespace => '/desk');
SELECT pulse.namespace('/desk', 'app.connect_desk');
SELECT pulse.policy('open:{id}', 'history', 'app.allow');
