-- What the role of bridges may not: it hands over clients' calls and reads the stream, and that is all. Whatever it prepares in its
-- session, no code of its own runs as another role.
BEGIN;
SELECT plan(48);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
CREATE SCHEMA vault;
CREATE TABLE vault.secrets (value text);
CREATE TABLE shop.notes (value text);
GRANT SELECT ON shop.notes TO pulse_client;
INSERT INTO shop.notes VALUES ('for pulse_client');
CREATE FUNCTION shop.reads(args json) RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT json_build_array(current_user, n.value) FROM shop.notes n; END;
CREATE FUNCTION shop.private(args json) RETURNS json LANGUAGE sql RETURN '"private"'::json;
REVOKE ALL ON FUNCTION shop.private(json) FROM PUBLIC;
CREATE FUNCTION shop.unpinned(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN to_json((SELECT value FROM shop.notes)); END $$;
CREATE FUNCTION shop.defers(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN to_json(current_user); END $$;
SELECT pulse.on('reads', 'shop.reads'), pulse.on('unpinned', 'shop.unpinned'), pulse.on('defers', 'shop.defers');

-- Runs a statement as pulse_bridge: 'done', or the SQLSTATE.
CREATE FUNCTION pg_temp.as_bridge(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE pulse_bridge;
    EXECUTE statement;
    RESET ROLE;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION pg_temp.ack_as_bridge(event text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_ack text;
BEGIN
    SET LOCAL ROLE pulse_bridge;
    SELECT h.ack INTO v_ack FROM pulse.handle('/', event, '[]', '{"userId":"ann"}') h;
    RESET ROLE;
    RETURN v_ack;
END
$$;
SELECT is(pg_temp.ack_as_bridge('reads')::json ->> 0, 'pulse_client', 'a handler that it runs is pulse_client''s');
SELECT is(current_user, session_user, 'and the role is given back');

-- its own rights
SELECT matches(pg_temp.as_bridge(statement), '^42501 ', 'pulse_bridge cannot: ' || statement) FROM unnest(ARRAY[
    'SELECT FROM shop.notes', 'SELECT FROM vault.secrets', 'SELECT shop.reads(NULL)', 'SELECT FROM pulse.events', 'SELECT FROM pulse.deliveries', 'SELECT FROM _pulse.sessions', 'SELECT FROM _pulse.jobs', 'SELECT FROM pulse.jobs', 'SELECT FROM pulse.dead_letters', 'SELECT FROM pulse.queues', 'SELECT pulse.cancel(1)', 'SELECT pulse.redrive()', 'SELECT pulse.pause_queue(''q'')',
    'SELECT FROM _pulse.epochs', 'SELECT FROM _pulse.settings', 'SELECT FROM _pulse.handlers', 'SELECT FROM _pulse.revocations', 'SELECT _pulse.tick()',
    'SELECT pulse.policy(''{a}'', ''join'', ''shop.yes'')', 'SELECT pulse.on(''x'', ''shop.reads'')', 'SELECT pulse.namespace(''/x'', ''shop.reads'')', 'SELECT pulse.stream(''/x'', ''shop.reads'', ''none'')',
    'SELECT pulse.limit(''x'', 1, ''1 s'')', 'SELECT pulse.limit_event(''x'', ''x'')', 'SELECT pulse.take(''x'', ''ann'')', 'SELECT pulse.configure(''pulse'', ''idempotency_keep'', ''1 s'')',
    'SELECT pulse.publish(''a'', ''b'', ''1''::json)', 'SELECT pulse.enqueue(''q'', ''sql'', ''{"function":"shop.reads"}'')', 'SELECT pulse.evict(''a'')', 'SELECT pulse.revoke(''ann'')', 'SELECT pulse.sessions(''ann'')',
    'SELECT pulse.explain_access(''{}'', ''join'', ''a'')', 'SELECT * FROM pulse.history(''a'')', 'CREATE TABLE public.t ()', 'CREATE SCHEMA evil',
    'SELECT pg_read_file(''PG_VERSION'')', 'COPY (SELECT 1) TO PROGRAM ''true''', 'SET pulse.handler_timeout = 0', 'SET session_replication_role = replica']) statement;

-- code of its own as pulse_client
CREATE FUNCTION pg_temp.evil(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil ran as %', current_user; END $$;
SELECT is(pg_temp.as_bridge(format('SELECT pulse.handle_answer(%L, NULL, ''{}'')', name)), '42501 a temporary function is never called: ' || name, 'a temporary function never runs as pulse_client: by ' || split_part(name, '_', 1))
    FROM unnest(ARRAY['pg_temp.evil', (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()) || '.evil']) name;
SELECT is(pg_temp.as_bridge($$SELECT pulse.handle_answer('shop.private', NULL, '{}')$$), '42501 pulse_client cannot execute shop.private', 'nor one that pulse_client may not call');
SELECT matches(pg_temp.as_bridge($$SELECT pulse.handle_answer('evil', NULL, '{}')$$), '^42883 ', 'nor one by a name without a schema');
SELECT matches(pg_temp.as_bridge($$SELECT pulse.handle_answer('pg_catalog.json_in', NULL, '{}')$$), '^42883 ', 'nor one of another form');
CREATE TEMPORARY TABLE notes (value text);
INSERT INTO notes VALUES ('of the bridge');
SELECT is(pg_temp.ack_as_bridge('unpinned'), '["for pulse_client"]', 'a temporary table does not stand in for another in a function that pins its search_path');
SELECT is(pg_temp.ack_as_bridge('defers'), '["pulse_client"]', 'what is deferred is not run as the bridge');

SELECT * FROM finish();
ROLLBACK;
