-- Two packs, or a pack and the application, that claim one queue, kind of jobs or schedule. What the script of a pack would say is said by an event trigger that runs
-- within it; the other pack is plpgsql, an extension that is always there.
BEGIN;
SELECT plan(28);

CREATE FUNCTION public.within_script() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE current_setting('test.within');
END
$$;
CREATE EVENT TRIGGER within_script ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION public.within_script();
CREATE FUNCTION public.work(args json) RETURNS json LANGUAGE sql AS 'SELECT args';
-- CREATE EXTENSION whose script says this besides
CREATE FUNCTION pg_temp.create_with(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_hint text;
BEGIN
    PERFORM set_config('test.within', statement, true);
    CREATE EXTENSION pulse_sos;
    RETURN 'created';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || ' / ' || v_hint;
END
$$;
CREATE FUNCTION pg_temp.there() RETURNS boolean LANGUAGE sql AS $$SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pulse_sos')$$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'fine';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- queues
INSERT INTO _pulse.queues (name, extension, concurrency) VALUES ('shared', 'plpgsql', 3);
SELECT is(pg_temp.create_with($$SELECT pulse.configure_queue('shared', concurrency => 7)$$), '42710 queue "shared" is already configured by extension plpgsql / An application may override it; another extension may not.',
    'a queue that another pack configures fails the CREATE EXTENSION');
SELECT ok(NOT pg_temp.there(), 'which leaves nothing behind');
SELECT is((SELECT string_agg(q.extension || ' ' || q.concurrency, ', ') FROM _pulse.queues q WHERE q.name = 'shared'), 'plpgsql 3', 'and changes nothing of the other one''s');
SELECT pulse.configure_queue('mine', concurrency => 2);
SELECT is(pg_temp.create_with($$SELECT pulse.configure_queue('mine', concurrency => 7, max_attempts => 5)$$), 'created', 'one that the application configures does not');
SELECT is((SELECT q.concurrency || ' ' || q.max_attempts FROM pulse.queues q WHERE q.name = 'mine'), '2 5', 'the application''s word wins, value by value');
SELECT is((SELECT q.concurrency || ' ' || q.max_attempts FROM pulse.queues q WHERE q.name = 'sos-service'), '10 12', 'the pack''s own queue is as it says');
SELECT pulse.configure_queue('sos-service', concurrency => 1);
SELECT is((SELECT q.concurrency || ' ' || q.max_attempts FROM pulse.queues q WHERE q.name = 'sos-service'), '1 12', 'until the application says otherwise');
SELECT is(pulse.enqueue('mine', 'sql', '{"function":"public.work"}') > 0, true, 'jobs wait in both''s queue');
DROP EXTENSION pulse_sos CASCADE;
SELECT is((SELECT q.concurrency || ' ' || coalesce(q.max_attempts::text, 'none') FROM pulse.queues q WHERE q.name = 'mine'), '2 none', 'a dropped pack''s word is gone, the application''s stays');
SELECT is((SELECT count(*) FROM _pulse.jobs j WHERE j.queue = 'mine'), 1::bigint, 'and so do the jobs');
SELECT is((SELECT q.concurrency || ' ' || coalesce(q.max_attempts::text, 'none') FROM pulse.queues q WHERE q.name = 'sos-service'), '1 none', 'also what it said of the pack''s queue');

-- kinds
INSERT INTO _pulse.job_kinds (kind, channel, function, extension) VALUES ('send', 'sql', 'public.work', 'plpgsql');
SELECT is(pg_temp.create_with($$SELECT pulse.job_kind('send', 'webhook')$$), '42710 the kind "send" is already registered by extension plpgsql / An application may override it; another extension may not.',
    'a kind that another pack has fails the CREATE EXTENSION');
SELECT ok(NOT pg_temp.there(), 'which leaves nothing behind');
SELECT pulse.job_kind('draw', 'sql', 'public.work', max_attempts => 4);
SELECT is(pg_temp.create_with($$SELECT pulse.job_kind('draw', 'webhook', max_attempts => 9)$$), 'created', 'one that the application has does not');
CREATE TEMPORARY TABLE drawn AS SELECT pulse.enqueue('other', 'draw', '{}') AS id;
SELECT is((SELECT j.channel || ' ' || j.max_attempts FROM _pulse.jobs j, drawn d WHERE j.id = d.id), 'sql 4', 'the application''s wins');
SELECT ok(pulse.drop_job_kind('draw'), 'when it takes it back');
CREATE TEMPORARY TABLE drawn_again AS SELECT pulse.enqueue('other', 'draw', '{"url":"http://a.example"}') AS id;
SELECT is((SELECT j.channel || ' ' || j.max_attempts FROM _pulse.jobs j, drawn_again d WHERE j.id = d.id), 'webhook 9', 'the pack''s counts');
DROP EXTENSION pulse_sos CASCADE;
SELECT matches(pg_temp.refusal($$SELECT pulse.enqueue('other', 'draw', '{}')$$), '^(22023|42704) .*draw', 'a dropped pack''s kind is gone');
SELECT is((SELECT j.channel FROM _pulse.jobs j, drawn_again d WHERE j.id = d.id), 'webhook', 'jobs that are stored keep what they had');

-- schedules: a name has one
SELECT pulse.schedule('nightly', '1 h', 'q', 'sql', '{"function":"public.work"}');
SELECT is(pg_temp.create_with($$SELECT pulse.schedule('nightly', '2 h', 'q', 'sql', '{"function":"public.work"}')$$), '42710 schedule "nightly" belongs to the application / Choose another name; pulse.unschedule takes the other one away.',
    'a schedule that the application has fails the CREATE EXTENSION');
SELECT is((SELECT s.spec || ' ' || coalesce(s.extension, 'the application') FROM _pulse.schedules s WHERE s.name = 'nightly'), '1 h the application', 'and is not taken over');
SELECT pulse.unschedule('nightly');
SELECT is(pg_temp.create_with($$SELECT pulse.schedule('nightly', '2 h', 'q', 'sql', '{"function":"public.work"}')$$), 'created', 'free again, a pack may have it');
SELECT is(pg_temp.refusal($$SELECT pulse.schedule('nightly', '3 h', 'q', 'sql', '{"function":"public.work"}')$$), '42710 schedule "nightly" belongs to extension pulse_sos', 'then it is not the application''s');
DROP EXTENSION pulse_sos CASCADE;
SELECT is_empty($$SELECT FROM _pulse.schedules s WHERE s.name = 'nightly'$$, 'a dropped pack takes its schedules with it');
SELECT is(pg_temp.create_with('SELECT 1'), 'created', 'created again it does not find old ones');
SELECT is_empty($$SELECT FROM pulse.schedules s WHERE s.name = 'nightly'$$, 'nor does anybody');
DROP EXTENSION pulse_sos CASCADE;
SELECT is(pg_temp.refusal($$SELECT pulse.schedule('nightly', '3 h', 'q', 'sql', '{"function":"public.work"}')$$), 'fine', 'and the name is free');
UPDATE _pulse.schedules SET extension = 'plpgsql' WHERE name = 'nightly';
SELECT matches(pg_temp.create_with($$SELECT pulse.schedule('nightly', '2 h', 'q', 'sql', '{"function":"public.work"}')$$), '^42710 schedule "nightly" belongs to extension plpgsql', 'two packs cannot have it either');

SELECT * FROM finish();
ROLLBACK;
