-- Handlers for presence, and a presence policy for the rooms club:{id}.
CREATE SCHEMA club;
GRANT USAGE ON SCHEMA club TO pulse_client;
CREATE FUNCTION club.allow(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true;
CREATE FUNCTION club.track(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.track(args ->> 0, args -> 1, (args ->> 2)::interval);
    RETURN '{"ok":true}';
END $$;
CREATE FUNCTION club.untrack(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.untrack(args ->> 0); RETURN '{"ok":true}'; END $$;
CREATE FUNCTION club.who(args json) RETURNS json LANGUAGE sql AS $$
    SELECT coalesce(json_object_agg(p.user_id, p.state ORDER BY p.user_id), '{}') FROM pulse.presence(args ->> 0) p $$;
-- Who connects to /club is present in club:lobby from the start.
CREATE FUNCTION club.enter(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.track('club:lobby', '{"status":"online"}');
    RETURN '{"rooms":["club:lobby"]}';
END $$;
SELECT pulse.policy('club:{id}', 'join', 'club.allow'), pulse.policy('club:{id}', 'presence', 'club.allow'), pulse.policy('secret:{id}', 'join', 'club.allow');
SELECT pulse.on('track', 'club.track'), pulse.on('untrack', 'club.untrack'), pulse.on('who', 'club.who'),
       pulse.on('track', 'club.track', '/club'), pulse.on('who', 'club.who', '/club'), pulse.namespace('/club', 'club.enter');
