-- Least privilege, tried out: every statement below is run inside a handler, a policy, a connect function, a stream function and a route, as the
-- worst SQL injection would, and none of them works. roles.md says what pulse_client and pulse_bridge may; here is what they may not.
BEGIN;
CREATE FUNCTION pg_temp.attacks() RETURNS TABLE (attack text, refused text) LANGUAGE sql AS $$
    VALUES
    -- another role
    ('RESET ROLE', '42501'), ('SET ROLE NONE', '42501'), ('SET LOCAL ROLE pulse_admin', '42501'), ('SET ROLE pulse_bridge', '42501'),
    ('SELECT set_config(''role'', ''none'', false)', '42501'), ('SET SESSION AUTHORIZATION DEFAULT', '42501'), ('RESET SESSION AUTHORIZATION', '42501'),
    ('SELECT set_config(''session_authorization'', session_user, true)', '42501'),
    ('CREATE ROLE mallory SUPERUSER', '42501'), ('ALTER ROLE pulse_client SUPERUSER', '0A000'), ('ALTER ROLE pulse_client PASSWORD ''x''', '0A000'),
    ('ALTER ROLE CURRENT_USER SET search_path = evil', '0A000'), ('GRANT pulse_admin TO pulse_client', '42501'), ('GRANT pulse_client TO pulse_bridge', '42501'),
    ('DROP OWNED BY CURRENT_USER', '0A000'), ('REASSIGN OWNED BY pulse_client TO pulse_client', '0A000'), ('GRANT ALL ON vault.secrets TO PUBLIC', '42501'),
    ('ALTER DEFAULT PRIVILEGES FOR ROLE pulse_admin GRANT ALL ON TABLES TO PUBLIC', '42501'),
    -- what outlives the call
    ('LISTEN pulse', '0A000'), ('UNLISTEN *', '0A000'), ('PREPARE p AS SELECT 1', '0A000'), ('DEALLOCATE ALL', '0A000'), ('DISCARD ALL', '0A000'), ('DISCARD TEMP', '0A000'),
    ('DECLARE c CURSOR WITH HOLD FOR SELECT current_user', '0A000'), ('COMMIT', '0A000'), ('ROLLBACK', '0A000'), ('SAVEPOINT s', '0A000'),
    ('PREPARE TRANSACTION ''x''', '0A000'), ('DO ''BEGIN COMMIT; END''', '2D000'),
    -- tables and views
    ('SELECT * FROM vault.secrets', '42501'), ('INSERT INTO vault.secrets VALUES (''x'')', '42501'), ('TRUNCATE vault.secrets', '42501'), ('LOCK TABLE vault.secrets', '42501'),
    ('SELECT vault.open()', '42501'), ('SELECT * FROM pulse.events', '42501'), ('SELECT * FROM pulse.deliveries', '42501'), ('SELECT * FROM pulse.ticks', '42501'),
    ('SELECT * FROM _pulse.epochs', '42501'), ('SELECT * FROM _pulse.jobs', '42501'), ('SELECT * FROM _pulse.job_history', '42501'), ('SELECT * FROM _pulse.job_history_0', '42501'),
    ('SELECT * FROM _pulse.dead_letters', '42501'), ('SELECT * FROM pulse.jobs', '42501'), ('SELECT * FROM pulse.dead_letters', '42501'), ('SELECT * FROM pulse.queues', '42501'), ('DELETE FROM pulse.jobs', '42501|55000'),
    ('UPDATE _pulse.queue_states SET paused = false', '42501'), ('INSERT INTO _pulse.job_kinds (kind, channel) VALUES (''k'', ''sms'')', '42501'), ('DELETE FROM _pulse.queue_origin', '42501'), ('SELECT * FROM _pulse.sessions', '42501'), ('SELECT * FROM _pulse.answers', '42501'),
    ('SELECT * FROM _pulse.settings', '42501'), ('SELECT * FROM _pulse.revocations', '42501'), ('SELECT * FROM _pulse.limits', '42501'),
    ('INSERT INTO _pulse.policies (pattern, operation, function) VALUES (''{a}'', ''join'', ''shop.yes'')', '42501'), ('DELETE FROM _pulse.handlers', '42501'),
    ('UPDATE pulse.events SET payload = ''1''', '42501'), ('SELECT nextval(''_pulse.event_id'')', '42501'), ('LOCK TABLE pulse.events', '42501'),
    ('SELECT * FROM pg_authid', '42501'), ('SELECT * FROM pg_statistic', '42501'), ('SELECT * FROM pg_hba_file_rules', '42501'), ('SELECT * FROM pg_file_settings', '42501'),
    ('SELECT * FROM pg_shmem_allocations', '42501'), ('UPDATE pg_proc SET proowner = 10', '42501'), ('DELETE FROM pg_class', '42501'),
    -- functions of others
    ('SELECT pulse.handle(''/'', ''attack'', ''[]'', ''{"userId":"root"}'')', '42501'), ('SELECT pulse.handle_connect(''/'', ''{"userId":"root"}'')', '42501'),
    ('SELECT pulse.handle_answer(''shop.attack'', NULL, ''{}'')', '42501'), ('SELECT pulse.handle_request(''GET'', ''/attack'', ''{}'', ''{}'')', '42501'),
    ('SELECT pulse.decide(''[]'')', '42501'), ('SELECT pulse.bridge_hello(''b'')', '42501'), ('SELECT pulse.bridge_read(0, 1)', '42501'), ('SELECT pulse.bridge_revocations()', '42501'),
    ('SELECT pulse.policy(''{a}'', ''join'', ''shop.yes'')', '42501'), ('SELECT pulse.on(''x'', ''shop.attack'')', '42501'), ('SELECT pulse.namespace(''/'', ''shop.attack_connect'')', '42501'),
    ('SELECT pulse.stream(''/x'', ''shop.attack'', ''none'')', '42501'), ('SELECT pulse.limit(''x'', 1, ''1 s'')', '42501'), ('SELECT pulse.drop_limit(''x'')', '42501'),
    ('SELECT pulse.configure(''pulse'', ''idempotency_keep'', ''1 s'')', '42501'), ('SELECT pulse.publish(''user:root'', ''x'', ''1''::json)', '42501'),
    ('SELECT pulse.enqueue(''q'', ''sql'', ''{"function":"shop.attack"}'')', '42501'), ('SELECT pulse.enqueue_many(''q'', ''sms'', ''{"{}"}'')', '42501'),
    ('SELECT pulse.cancel(1)', '42501'), ('SELECT pulse.retry(1)', '42501'), ('SELECT pulse.redrive(1)', '42501'), ('SELECT pulse.redrive()', '42501'), ('SELECT pulse.purge()', '42501'), ('SELECT pulse.job(1)', '42501'),
    ('SELECT pulse.purge_queue(''q'')', '42501'), ('SELECT pulse.pause_queue(''q'')', '42501'), ('SELECT pulse.resume_queues()', '42501'), ('SELECT pulse.configure_queue(''q'', rate => 0)', '42501'),
    ('SELECT pulse.job_kind(''k'', ''sql'', ''shop.attack'')', '42501'), ('SELECT _pulse.count_by_index(''_pulse.jobs_lane_idx'', 1)', '42501'), ('SELECT pulse.revoke(''root'')', '42501'), ('SELECT pulse.sessions(''root'')', '42501'),
    ('SELECT pulse.status()', '42501'), ('SELECT pulse.explain_access(''{}'', ''join'', ''a'')', '42501'), ('SELECT _pulse.tick()', '42501'), ('SELECT _pulse.memory_status()', '42501'),
    ('SELECT pulse.watch(''vault.secrets'', ''x'', ARRAY[''r''])', '42501'), ('CREATE TRIGGER t AFTER INSERT ON vault.secrets EXECUTE FUNCTION pulse.publish_trigger()', '42501'),
    ('SELECT pulse.mint_token(''{"userId":"root"}'')', '42501'), ('SELECT pulse.route(''GET'', ''/x'', ''shop.attack'')', '42501'), ('SELECT pulse.handle_refresh(''/'', ''{}'', ''[]'')', '42(501|883)'),
    -- objects that others would step into
    ('CREATE TABLE public.users ()', '42501'), ('CREATE SCHEMA evil', '42501'), ('CREATE TABLE shop.orders ()', '42501'), ('CREATE FUNCTION shop.attack(args jsonb) RETURNS json LANGUAGE sql RETURN NULL::json', '42501'),
    ('CREATE OR REPLACE FUNCTION shop.attack(args json) RETURNS json LANGUAGE sql RETURN NULL::json', '42501'), ('CREATE FUNCTION pulse.user_id(x int) RETURNS text LANGUAGE sql RETURN ''root''', '42501'),
    ('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE internal AS ''pg_backend_pid''', '42501'), ('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS ''pulse'', ''pulse_claims''', '42501'),
    ('CREATE OPERATOR public.= (LEFTARG = json, RIGHTARG = json, FUNCTION = json_in)', '42(501|883)'), ('CREATE CAST (json AS int) WITH INOUT', '42501'),
    ('ALTER FUNCTION pulse.user_id() OWNER TO pulse_client', '42501'), ('DROP FUNCTION shop.attack(json)', '42501'), ('ALTER TABLE vault.secrets DISABLE ROW LEVEL SECURITY', '42501'),
    ('CREATE POLICY p ON vault.secrets USING (true)', '42501'), ('CREATE RULE r AS ON INSERT TO vault.secrets DO NOTHING', '42501'), ('CREATE INDEX ON vault.secrets (value)', '42501'),
    ('CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION shop.on_ddl()', '42501'), ('ALTER EVENT TRIGGER pulse_forget_dropped_packs DISABLE', '42501'),
    ('DROP EXTENSION pulse CASCADE', '42501'), ('ALTER EXTENSION pulse UPDATE', '42501'), ('ALTER EXTENSION pulse ADD FUNCTION shop.attack(json)', '42501'), ('CREATE EXTENSION hstore', '42501|0A000|58P01'),
    ('CREATE PUBLICATION p FOR ALL TABLES', '42501'), ('CREATE SERVER s FOREIGN DATA WRAPPER w', '42(501|704)'), ('ALTER DATABASE postgres SET search_path = evil', '42501'),
    -- the server
    ('COPY (SELECT 1) TO PROGRAM ''true''', '42501'), ('COPY (SELECT 1) TO ''/tmp/pulse-privilege''', '42501'), ('SELECT pg_read_file(''PG_VERSION'')', '42501'),
    ('SELECT pg_read_binary_file(''PG_VERSION'')', '42501'), ('SELECT pg_ls_dir(''.'')', '42501'), ('SELECT pg_stat_file(''PG_VERSION'')', '42501'), ('SELECT pg_ls_logdir()', '42501'),
    ('SELECT lo_import(''/etc/hostname'')', '42501'), ('SELECT lo_export(1, ''/tmp/pulse-privilege'')', '42501'), ('SELECT lo_get(:secret)', '42501'), ('SELECT lo_unlink(:secret)', '42501'),
    ('SELECT pg_reload_conf()', '42501'), ('SELECT pg_rotate_logfile()', '42501'), ('SELECT pg_terminate_backend(pg_backend_pid())', '42501'), ('SELECT pg_cancel_backend(pg_backend_pid())', '42501'),
    ('SELECT pg_create_physical_replication_slot(''x'')', '42501'), ('SELECT pg_switch_wal()', '42501'), ('SELECT pg_stat_reset()', '42501'), ('CHECKPOINT', '42501'), ('LOAD ''pulse''', '42501'),
    ('ALTER SYSTEM SET pulse.databases = ''''', '42501|25001'), ('SET session_replication_role = replica', '42501'), ('SET pulse.handler_timeout = 0', '42501'), ('SET pulse.max_payload = ''64MB''', '42501'),
    ('SET log_min_messages = panic', '42501'), ('SET pulse.databases = ''x''', '55P02'), ('SET pulse.limit_buckets = 16', '55P02'), ('SHOW pulse.jwt_secret_file', '42501'),
    ('SELECT current_setting(''pulse.jwt_secret_file'')', '42501'), ('SHOW data_directory', '42501') $$;
SELECT plan((5 * (SELECT count(*) FROM pg_temp.attacks()) + 38)::int);

CREATE SCHEMA vault;
CREATE TABLE vault.secrets (value text);
INSERT INTO vault.secrets VALUES ('the plan');
CREATE FUNCTION vault.open() RETURNS text LANGUAGE sql SECURITY DEFINER RETURN (SELECT value FROM vault.secrets);
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client, pulse_bridge;
CREATE FUNCTION shop.yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION shop.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
-- A large object that is not pulse_client's.
CREATE TEMPORARY TABLE fixture AS SELECT lo_from_bytea(0, 'secret') AS secret;

-- Runs what the token says: 'done', or the SQLSTATE. The subtransaction keeps the rest going.
CREATE FUNCTION shop.attempt() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pulse.claim('attack');
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
CREATE FUNCTION shop.attack(args json) RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT to_json(shop.attempt()); END;
CREATE FUNCTION shop.attack_policy(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN RETURN pulse.fail('conflict', shop.attempt()) IS NULL; END $$;
CREATE FUNCTION shop.attack_connect(claims json) RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT json_build_object('data', json_build_object('result', shop.attempt())); END;
CREATE FUNCTION shop.attack_stream(request json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN pulse.fail('conflict', shop.attempt()); END $$;
CREATE FUNCTION shop.attack_route(request json) RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT to_json(shop.attempt()); END;
SELECT pulse.route('POST', '/attack', 'shop.attack_route', 'none');
SELECT pulse.on('attack', 'shop.attack'), pulse.policy('attack:{id}', 'join', 'shop.attack_policy'), pulse.namespace('/attack', 'shop.attack_connect'),
       pulse.stream('/attack', 'shop.attack_stream', 'none');
CREATE FUNCTION shop.context(attack text) RETURNS json LANGUAGE sql
    RETURN json_build_object('userId', 'mallory', 'sessionId', 's1', 'claims', json_build_object('userId', 'mallory', 'attack', attack));
-- Where it is tried: a handler, a policy, a connect function, a stream function, a route.
CREATE FUNCTION shop.in_handler(attack text) RETURNS text LANGUAGE sql AS $$ SELECT h.ack ->> 0 FROM pulse.handle('/', 'attack', '[]', shop.context(attack)) h $$;
CREATE FUNCTION shop.in_policy(attack text) RETURNS text LANGUAGE sql AS $$
    SELECT d.reason FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', 'attack:1', 'context', shop.context(attack)))) d $$;
CREATE FUNCTION shop.in_connect(attack text) RETURNS text LANGUAGE sql AS $$ SELECT pulse.handle_connect('/attack', shop.context(attack)) -> 'data' ->> 'result' $$;
CREATE FUNCTION shop.in_stream(attack text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN pulse.handle_request('GET', '/attack', '{}', shop.context(attack));
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END
$$;

CREATE FUNCTION shop.in_route(attack text) RETURNS text LANGUAGE sql AS $$ SELECT pulse.handle_request('POST', '/attack', '{}', shop.context(attack)) ->> 'body' $$;

SELECT is(shop.in_handler('SELECT 1'), 'done', 'a harmless statement runs in a handler');
SELECT is(shop.in_policy('SELECT 1'), 'done', 'in a policy');
SELECT is(shop.in_connect('SELECT 1'), 'done', 'in a connect function');
SELECT is(shop.in_stream('SELECT 1'), 'done', 'in a stream function');
SELECT is(shop.in_route('SELECT 1'), 'done', 'in a route');
SELECT matches(shop.in_handler(replace(attack, ':secret', secret::text)), '^(' || refused || ')$', 'handler: ' || attack) FROM pg_temp.attacks(), fixture;
SELECT matches(shop.in_policy(replace(attack, ':secret', secret::text)), '^(' || refused || '|25006)$', 'policy: ' || attack) FROM pg_temp.attacks(), fixture;
SELECT matches(shop.in_connect(replace(attack, ':secret', secret::text)), '^(' || refused || ')$', 'connect: ' || attack) FROM pg_temp.attacks(), fixture;
SELECT matches(shop.in_stream(replace(attack, ':secret', secret::text)), '^(' || refused || ')$', 'stream: ' || attack) FROM pg_temp.attacks(), fixture;
SELECT matches(shop.in_route(replace(attack, ':secret', secret::text)), '^(' || refused || ')$', 'route: ' || attack) FROM pg_temp.attacks(), fixture;

-- what a policy writes
SELECT is(shop.in_policy('SET TRANSACTION READ WRITE'), '25001', 'a policy stays read-only');
SELECT is(shop.in_policy('SET transaction_read_only = off'), '25001', 'by any name');
SELECT is(shop.in_policy('CREATE TEMPORARY TABLE t ()'), '25006', 'also for temporary tables');
SELECT is(shop.in_policy('SELECT pulse.reply(''x'', ''1'')'), '55000', 'it sends nothing');
SELECT is(shop.in_policy('SELECT pulse.disconnect(''x'')'), '55000', 'and ends nothing');

-- what is set
SELECT is(shop.in_handler('SELECT set_config(''search_path'', ''evil'', false), set_config(''request.jwt.claims'', ''{"userId":"root"}'', false)'), 'done', 'settings can be made');
SELECT isnt(current_setting('search_path'), 'evil', 'and end with the call');
SELECT is(coalesce(current_setting('request.jwt.claims', true), ''), '', 'also that of the claims');

-- claims are not the setting
CREATE FUNCTION shop.forge(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.jwt.claims', '{"userId":"root","role":"admin"}', true);
    PERFORM set_config('pulse.user_id', 'root', true);
    RETURN json_build_array(pulse.user_id(), pulse.claim('role'), pulse.claims() ->> 'userId', pulse.session_id());
EXCEPTION WHEN OTHERS THEN
    RETURN json_build_array(SQLSTATE, pulse.user_id(), pulse.claim('role'));
END
$$;
SELECT pulse.on('forge', 'shop.forge');
SELECT is((SELECT h.ack ->> 1 FROM pulse.handle('/', 'forge', '[]', shop.context('')) h), 'mallory', 'a forged setting changes no user');
CREATE FUNCTION shop.rls_policy(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE
    RETURN current_setting('request.jwt.claims')::json ->> 'userId' = params ->> 'id';
CREATE FUNCTION shop.forge_join(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.jwt.claims', '{"userId":"root"}', true);
    PERFORM pulse.join(args ->> 0);
    RETURN '"joined"';
EXCEPTION WHEN OTHERS THEN
    RETURN to_json(SQLSTATE);
END
$$;
SELECT pulse.on('forge_join', 'shop.forge_join'), pulse.policy('of:{id}', 'join', 'shop.rls_policy');
SELECT is((SELECT h.ack ->> 0 FROM pulse.handle('/', 'forge_join', '["of:root"]', shop.context('')) h), 'PL403', 'a policy that reads the setting is not deceived by the handler that joins');
SELECT is((SELECT h.ack ->> 0 FROM pulse.handle('/', 'forge_join', '["of:mallory"]', shop.context('')) h), 'joined', 'it sees the true claims');

-- S2: names of rooms
CREATE FUNCTION shop.may_join(room text) RETURNS boolean LANGUAGE sql AS $$
    SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', room, 'context', shop.context('')))) d $$;
SELECT pulse.policy('case:{id}', 'join', 'shop.yes');
SELECT is(shop.may_join('case:7'), true, 'S2: a room of the pattern');
SELECT is(shop.may_join(room), false, 'S2: no room of it: ' || to_json(left(room, 30)))
    FROM unnest(ARRAY['case:7:secret', 'case:', 'case', 'CASE:7', ' case:7', E'case:7\n', 'case:7%', 'case:%zz', 'case:%00', 'case：7', 'case:' || repeat('x', 251), '', 'pulse:evictions', E'case:\u0001']) room;
SELECT is(shop.may_join('user:mallory'), true, 'S2: one''s own room');
SELECT is(shop.may_join(room), false, 'S2: another''s room: ' || room) FROM unnest(ARRAY['user:root', 'user:mallory:x', 'user:Mallory', 'user:mallory%20', 'user:%6Dallory%', 'user:']) room;

SELECT * FROM finish();
ROLLBACK;
