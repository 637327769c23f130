-- pulse.enqueue_row: the trigger that makes a job of a row, and what it refuses.
BEGIN;
SELECT plan(80);

CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app.ended(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE TABLE app.orders (id int PRIMARY KEY, customer_name text, total numeric(10, 2), due_at timestamptz);
CREATE ROLE clerk;
CREATE ROLE visitor;
GRANT pulse_publisher TO clerk;
GRANT USAGE ON SCHEMA app TO clerk, visitor;
GRANT ALL ON app.orders TO clerk, visitor;

-- The trigger of these arguments, in place of the one before.
CREATE FUNCTION pg_temp.arm(VARIADIC arguments text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DROP TRIGGER IF EXISTS jobs ON app.orders;
    EXECUTE 'CREATE TRIGGER jobs AFTER INSERT OR UPDATE OR DELETE ON app.orders FOR EACH ROW EXECUTE FUNCTION pulse.enqueue_row('
            || (SELECT string_agg(quote_literal(a), ', ') FROM unnest(arguments) a) || ')';
END
$$;
CREATE FUNCTION pg_temp.failure(statement text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE FUNCTION pg_temp.refused(arguments text[], code text, message text, hint text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    f record;
BEGIN
    PERFORM pg_temp.arm(VARIADIC arguments);
    f := pg_temp.failure('INSERT INTO app.orders VALUES (1)');
    RETURN NEXT is(f.code || ' ' || f.message, refused.code || ' trigger "jobs" on table "orders": ' || refused.message, refused.message);
    RETURN NEXT matches(f.hint, refused.hint, 'the hint says what is accepted: ' || f.hint);
END
$$;

-- what it stores
SELECT pg_temp.arm('queue=mail', 'function=app.work');
INSERT INTO app.orders VALUES (7, 'Ann "A"', 1.50, '2026-01-05T10:00:00Z');
SELECT results_eq(
    $$ SELECT queue, kind, channel, args::text, function, state, priority, attempt, max_attempts, unique_key, partition_key, timeout, role, on_end FROM _pulse.jobs $$,
    $$ VALUES ('mail' COLLATE "C", 'sql' COLLATE "C", 'sql' COLLATE "C",
               '{"function":"app.work","args":{"id":7,"customerName":"Ann \"A\"","total":1.50,"dueAt":"2026-01-05T10:00:00.000Z"}}', 'app.work', 'available', 0, 0, 3,
               NULL::text COLLATE "C", NULL::text COLLATE "C", interval '30 s', current_user::text COLLATE "default", NULL::text) $$,
    'E4: a row makes a job of the whole row, with the defaults of pulse.enqueue');
SELECT is((SELECT run_at FROM _pulse.jobs), now(), 'that is due at the time of the transaction');
DELETE FROM _pulse.jobs;

SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"order":"{id:text}","note?":"{customer_name}","was?":"{old.total}"}', 'priority=-5', 'delay=1 h', 'max_attempts=7',
                   'timeout=2 min', 'unique_key=order {id}', 'unique_mode=replace', 'partition_key={customer_name}', 'on_end=app.ended');
UPDATE app.orders SET total = 2;
SELECT results_eq(
    $$ SELECT args::text, state, run_at, priority, max_attempts, unique_key, partition_key, timeout, on_end FROM _pulse.jobs $$,
    $$ VALUES ('{"function":"app.work","args":{"order":"7","note":"Ann \"A\"","was":1.50}}', 'scheduled', now() + interval '1 h', -5, 7,
               'order 7' COLLATE "C", 'Ann "A"' COLLATE "C", interval '2 min', 'app.ended') $$,
    'E4: the arguments say how, the templates what');
UPDATE app.orders SET total = 3, customer_name = NULL;
SELECT results_eq($$ SELECT args #>> '{args,was}', partition_key FROM _pulse.jobs $$, $$ VALUES ('2.00', NULL::text COLLATE "C") $$,
                  'E4: a waiting job with the key is replaced; a null value gives no key');
DELETE FROM app.orders;
SELECT is((SELECT args ->> 'args' FROM _pulse.jobs), '{"order":"7","was":3.00}', 'of a deleted row it is the old one');
DELETE FROM _pulse.jobs;
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={}', 'unique_key={customer_name}');
INSERT INTO app.orders VALUES (1, NULL), (2, 'x'), (3, 'x'), (4, NULL);
SELECT results_eq($$ SELECT unique_key FROM _pulse.jobs ORDER BY id $$, $$ VALUES (NULL COLLATE "C"), ('x' COLLATE "C"), (NULL COLLATE "C") $$,
                  'E4: one job a key, and one for each row without');
DELETE FROM _pulse.jobs;
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"order":"{id}"}', 'where=customer_name=ann=1', 'where=total=1.50');
INSERT INTO app.orders VALUES (10, 'ann=1', 1.5), (11, 'ann', 1.5), (12, NULL, 1.5), (13, 'ann=1', 2), (14, 'ann=1', NULL);
SELECT results_eq($$ SELECT args #>> '{args,order}' FROM _pulse.jobs $$, $$ VALUES ('10') $$, 'E4: only rows that have what where= asks for');
DELETE FROM _pulse.jobs;
CREATE TYPE app.stamp AS ENUM ('1', 'none');
CREATE FUNCTION app.stamp_json(stamp app.stamp) RETURNS json LANGUAGE sql AS $$ SELECT stamp::text::json $$;   -- fails for 'none'
CREATE CAST (app.stamp AS json) WITH FUNCTION app.stamp_json(app.stamp);
ALTER TABLE app.orders ADD COLUMN mark char(6), ADD COLUMN stamp app.stamp;
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"order":"{id}"}', 'where=mark=open');
INSERT INTO app.orders (id, mark) VALUES (17, 'open'), (18, 'opened'), (19, NULL);
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"order":"{id}"}', 'where=mark=open   ');
INSERT INTO app.orders (id, mark) VALUES (20, 'open'), (21, ' open');
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"order":"{id}"}', 'where=customer_name=open');
INSERT INTO app.orders (id, customer_name) VALUES (22, 'open'), (23, 'open ');
SELECT is((SELECT array_agg(args #>> '{args,order}' ORDER BY id) FROM _pulse.jobs), '{17,20,22}', 'E4: char(n) is compared without its trailing blanks, text with them');
DELETE FROM _pulse.jobs;
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"stamp":"{stamp}"}', 'where=mark=open');
SELECT lives_ok($$INSERT INTO app.orders (id, mark, stamp) VALUES (24, 'shut', 'none')$$, 'E4: a row that where= leaves out fails by no value of a job that it does not make');
SELECT throws_ok($$INSERT INTO app.orders (id, mark, stamp) VALUES (25, 'open', 'none')$$, '22P02', NULL, 'as one does that makes it');
SET ROLE visitor;
SELECT lives_ok($$INSERT INTO app.orders (id, mark) VALUES (26, 'shut')$$, 'E4: nor does who writes it need the right to enqueue');
SELECT throws_ok($$INSERT INTO app.orders (id, mark) VALUES (27, 'open')$$, '42501', NULL, 'as for others');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM _pulse.jobs), 0, 'none of these makes a job');
ALTER TABLE app.orders DROP COLUMN mark, DROP COLUMN stamp;
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'args={"order":"{id}"}', 'restored=skip');
SET LOCAL row_security = off;
INSERT INTO app.orders VALUES (15);
SET LOCAL row_security = on;
INSERT INTO app.orders VALUES (16);
SELECT results_eq($$ SELECT args #>> '{args,order}' FROM _pulse.jobs $$, $$ VALUES ('16') $$, 'E4: rows that pg_dump''s scripts load make none where that is asked for');
DELETE FROM _pulse.jobs;
SELECT pulse.job_kind('picked', 'external', max_attempts => 9);
SELECT pg_temp.arm('queue=shelf', 'kind=picked', 'args={"order":"{id}"}');
INSERT INTO app.orders VALUES (5);
SELECT results_eq($$ SELECT kind, channel, args::text, function, max_attempts FROM _pulse.jobs $$,
                  $$ VALUES ('picked' COLLATE "C", 'external' COLLATE "C", '{"order":5}', NULL, 9) $$, 'E4: jobs of other kinds have the template as their args');
DELETE FROM _pulse.jobs;
SELECT pulse.configure_queue('told', events => true);
SELECT pg_temp.arm('queue=told', 'function=app.work');
INSERT INTO app.orders VALUES (6);
SELECT is((SELECT count(*)::int FROM pulse.events WHERE name = 'job:enqueued' AND rooms = '{queue:told}'), 1, 'E4: a queue that wants events has them');
DELETE FROM _pulse.jobs;
TRUNCATE app.orders;

-- as whom
SELECT pg_temp.arm('queue=mail', 'function=app.work');
SET ROLE clerk;
INSERT INTO app.orders VALUES (1);
RESET ROLE;
SELECT is((SELECT role FROM _pulse.jobs), 'clerk', 'E4: the job is that of the role that writes the row');
SET ROLE visitor;
SELECT results_eq($$ SELECT code, message, hint FROM pg_temp.failure('INSERT INTO app.orders VALUES (2)') $$,
                  $$ VALUES ('42501', 'trigger "jobs" on table "orders": permission denied for function enqueue_row', 'Who writes the row enqueues the job: grant it pulse_publisher.') $$,
                  'E4: which must be allowed to enqueue');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM app.orders WHERE id = 2), 0, 'else there is no row');
REVOKE EXECUTE ON FUNCTION app.work(json) FROM PUBLIC;
SET ROLE clerk;
SELECT is((SELECT code || ' ' || message FROM pg_temp.failure('INSERT INTO app.orders VALUES (3)')),
          '42501 trigger "jobs" on table "orders": permission denied for function app.work', 'E4: and to execute the function, at once when that is taken away');
RESET ROLE;
GRANT EXECUTE ON FUNCTION app.work(json) TO clerk;
SET ROLE clerk;
SELECT lives_ok('INSERT INTO app.orders VALUES (3)', 'or given');
RESET ROLE;
CREATE ROLE shop_owner;
GRANT pulse_publisher TO shop_owner;
GRANT USAGE ON SCHEMA app TO shop_owner;
CREATE FUNCTION app.enqueue_row() RETURNS trigger LANGUAGE c SECURITY DEFINER AS '$libdir/pulse', 'pulse_enqueue_row';
GRANT CREATE ON SCHEMA app TO shop_owner;
ALTER FUNCTION app.enqueue_row() OWNER TO shop_owner;
ALTER FUNCTION app.work(json) OWNER TO shop_owner;
REVOKE ALL ON FUNCTION app.enqueue_row() FROM PUBLIC;
DROP TRIGGER jobs ON app.orders;
CREATE TRIGGER jobs AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.enqueue_row('queue=mail', 'function=app.work');
DELETE FROM _pulse.jobs;
SET ROLE visitor;
INSERT INTO app.orders VALUES (4);
RESET ROLE;
SELECT is((SELECT role FROM _pulse.jobs), 'shop_owner', 'E4: through a SECURITY DEFINER function over the same symbol it is the owner''s, whoever writes the row');
DELETE FROM _pulse.jobs;
REVOKE CREATE ON SCHEMA app FROM shop_owner;
DROP TRIGGER jobs ON app.orders;
TRUNCATE app.orders;
GRANT EXECUTE ON FUNCTION app.work(json) TO PUBLIC;

-- what it refuses
SELECT pg_temp.refused('{function=app.work}', '22023', 'pulse.enqueue_row needs a queue', 'queue=');
SELECT pg_temp.refused('{queue=mail}', '22023', 'a job of kind sql needs a function', 'function=schema.name');
SELECT pg_temp.refused('{queue=mail,function=work}', '22023', 'function "work" is named without its schema', 'schema.name');
SELECT pg_temp.refused('{queue=mail,"function=\"app.work\""}', '22023', 'function "\"app.work\"" is named without its schema', 'schema.name');
SELECT pg_temp.refused('{queue=mail,function=app.work,on_end=ended}', '22023', 'function "ended" is named without its schema', 'schema.name');
SELECT pg_temp.refused('{queue=mail,kind=sms,function=app.work}', '22023', 'a function is given, but the kind of job is "sms"', 'pulse.job_kind');
SELECT pg_temp.refused('{queue=mail,kind=pigeon}', '22023', 'unknown kind of job "pigeon"', 'fcm, picked, sms, sql, webhook');
SELECT pg_temp.refused('{queue=mail,function=app.work,color=red}', '22023', 'unknown argument "color=red" of pulse.enqueue_row', 'Arguments are queue=');
SELECT pg_temp.refused('{queue=mail,function=app.work,args=1}', '22023', 'args template is not a JSON object', 'JSON object');
SELECT pg_temp.refused('{queue=mail,function=app.work,unique_mode=drop}', '22023', 'unknown unique_mode "drop"', 'keep, replace, keep_run_at');
SELECT pg_temp.refused('{queue=mail,function=app.work,"unique_key={color}"}', '42703', 'placeholder "{color}": table app.orders has no column "color"',
                       'Columns of app.orders: id, customer_name, total, due_at. DROP TRIGGER and CREATE TRIGGER');
SELECT pg_temp.refused('{queue=mail,function=app.work,"partition_key=schedule:{id}"}', '22023', 'partition_key begins with "schedule:"', 'schedules');
SELECT pg_temp.refused('{queue=mail,function=app.gone}', '42883', 'function app.gone(json) does not exist', 'args json');
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'where=color=red');
SELECT is((SELECT code FROM pg_temp.failure('INSERT INTO app.orders VALUES (1)')), '42703', 'where= names a column');
SELECT pg_temp.refused('{queue=mail,function=app.work,restored=yes}', '22023', 'unknown restored "yes"', 'enqueue or skip');
SELECT pg_temp.refused('{queue=mail,queue=post,function=app.work}', '22023', 'argument "queue" is given twice', 'only where=');
SELECT pg_temp.refused('{queue=mail,function=app.work,priority=high}', '22023', 'priority "high" is no whole number', '-2147483648 to 2147483647');
SELECT pg_temp.refused('{queue=mail,function=app.work,priority=99999999999}', '22023', 'priority "99999999999" is out of range', '-2147483648 to 2147483647');
SELECT pg_temp.refused('{queue=mail,function=app.work,max_attempts=0}', '22023', 'max_attempts is 0', 'between 1 and 1000');
SELECT pg_temp.refused('{queue=mail,function=app.work,delay=soon}', '22007', 'delay "soon" is no interval', '0 to 100 years');
SELECT pg_temp.refused('{queue=mail,function=app.work,delay=-1 s}', '22023', 'delay is not between 0 and 100 years', '0 to 100 years');
SELECT pg_temp.refused('{queue=mail,function=app.work,delay=101 years}', '22023', 'delay is not between 0 and 100 years', '0 to 100 years');
SELECT pg_temp.refused('{queue=mail,function=app.work,delay=9999999999 years}', '22015', 'delay "9999999999 years" is out of range', '0 to 100 years');
SELECT pg_temp.refused('{queue=mail,function=app.work,timeout=long}', '22007', 'timeout "long" is no interval', 'a millisecond to 7 days');
SELECT pg_temp.refused('{queue=mail,function=app.work,timeout=8 days}', '22023', 'timeout is not between a millisecond and 7 days', 'an interval');
SELECT pg_temp.arm('queue=mail', 'function=app.work', 'unique_key={customer_name}');
SELECT is((SELECT message FROM pg_temp.failure($$INSERT INTO app.orders VALUES (1, repeat('x', 256))$$)), 'trigger "jobs" on table "orders": unique_key has 256 bytes', 'a key has, too');
ALTER TABLE app.orders RENAME COLUMN customer_name TO customer;
SELECT is((SELECT code FROM pg_temp.failure('INSERT INTO app.orders VALUES (1)')), '42703', 'a column that was renamed is not found');
SELECT is((SELECT count(*)::int FROM _pulse.jobs), 0, 'of all these there is no job');
DROP TRIGGER jobs ON app.orders;
CREATE TRIGGER jobs BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION pulse.enqueue_row('queue=mail', 'function=app.work');
SELECT is((SELECT code || ' ' || message FROM pg_temp.failure('INSERT INTO app.orders VALUES (1)')),
          '39P01 pulse.enqueue_row must fire AFTER INSERT, UPDATE or DELETE FOR EACH ROW', 'it fires after a row');
DROP TRIGGER jobs ON app.orders;

-- Which indexes a new job enters is known without asking each of them; what somebody adds is found.
CREATE EXTENSION amcheck;
CREATE FUNCTION pg_temp.enqueue_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_args json := '{"function":"app.work"}';
BEGIN
    PERFORM pulse.enqueue('q', 'sql', v_args, priority => n), pulse.enqueue('q', 'sql', v_args, run_at => now() + interval '1 h'),
            pulse.enqueue('q', 'sql', v_args, partition_key => 'p'), pulse.enqueue('q', 'sql', v_args, unique_key => gen_random_uuid()::text),
            pulse.enqueue_many('q', 'sql', ARRAY[v_args, v_args], partition_keys => '{p,NULL}')
       FROM generate_series(1, 3) n;
END
$$;
CREATE FUNCTION pg_temp.missing() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bt_index_check(i.indexrelid, true) FROM pg_index i WHERE i.indrelid = '_pulse.jobs'::regclass;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END
$$;
SELECT pg_temp.enqueue_all();
SELECT is(pg_temp.missing(), NULL, 'E4: every job is in every index that it belongs to');
CREATE INDEX added_state ON _pulse.jobs (created_at) WHERE state = 'scheduled';
CREATE UNIQUE INDEX added_plain ON _pulse.jobs (role, id);
SELECT pg_temp.enqueue_all();
SELECT is(pg_temp.missing(), NULL, 'E4: and in those that somebody has added');
DROP INDEX _pulse.jobs_lane_idx;
SELECT pg_temp.enqueue_all();
SELECT is(pg_temp.missing(), NULL, 'or taken away');
CREATE INDEX added_predicate ON _pulse.jobs (id) WHERE priority > 1;
SELECT pg_temp.enqueue_all();
SELECT is(pg_temp.missing(), NULL, 'E4: also when they ask for a column of the row');
DROP INDEX _pulse.added_predicate;
CREATE INDEX added_expression ON _pulse.jobs (lower(kind));
SELECT pg_temp.enqueue_all();
SELECT is(pg_temp.missing(), NULL, 'or for an expression');

SELECT * FROM finish();
ROLLBACK;
