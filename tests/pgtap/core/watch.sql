-- pulse.watch, pulse.unwatch and the trigger function: which rows publish what, and what is refused when a watch is made.
BEGIN;
SELECT plan(160);

CREATE FUNCTION pg_temp.failure(statement text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE FUNCTION pg_temp.refused(statement text, code text, message text, hint text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    f record := pg_temp.failure(statement);
BEGIN
    RETURN NEXT is(f.code || ' ' || f.message, refused.code || ' ' || refused.message, description);
    RETURN NEXT matches(f.hint, refused.hint, description || ': the hint says what is accepted');
END
$$;
-- Events since the last call: "name {rooms} payload" in order.
CREATE TEMPORARY SEQUENCE seen;
CREATE FUNCTION pg_temp.published() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    v_events text[];
BEGIN
    SELECT coalesce(array_agg(e.name || ' ' || e.rooms::text || ' ' || e.payload::text ORDER BY e.id), '{}') INTO v_events
    FROM pulse.events e WHERE e.id >= (SELECT last_value FROM seen);
    PERFORM setval('seen', nextval('_pulse.event_id'));
    RETURN v_events;
END
$$;
-- Runs a statement and tells what it published.
CREATE FUNCTION pg_temp.publishes(statement text, VARIADIC expected text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.published();
    EXECUTE statement;
    RETURN NEXT is(pg_temp.published(), (SELECT coalesce(array_agg(x), '{}') FROM unnest(expected) x WHERE x <> ''), statement);
END
$$;
CREATE FUNCTION pg_temp.definition(trigger text) RETURNS text LANGUAGE sql
    AS $$SELECT regexp_replace(pg_get_triggerdef(t.oid), 'CREATE TRIGGER \S+ ', '') FROM pg_trigger t WHERE t.tgname = $1$$;

CREATE SCHEMA app;
SET LOCAL search_path = app, public, pg_temp;
CREATE TABLE orders (id int PRIMARY KEY, customer_name text, status text DEFAULT 'open', total numeric(10, 2), note text);

-- The functions
SELECT function_lang_is('pulse', 'publish_trigger', ARRAY[]::text[], 'c', 'the trigger function is C');
SELECT function_lang_is('pulse', 'watch', ARRAY['regclass', 'text', 'text[]', 'text', 'text[]', 'text', 'json', 'text', 'text', 'text', 'text'], 'c', 'watch has the documented signature');
SELECT function_returns('pulse', 'unwatch', ARRAY['regclass', 'text'], 'integer', 'unwatch returns a number');

-- An ordinary trigger
SELECT is(pulse.watch('orders', 'order:created', ARRAY['order:{id}']), 'orders_insert_order_created', 'watch returns the name of its trigger');
SELECT is(pg_temp.definition('orders_insert_order_created'), $$AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION pulse.publish_trigger('event=order:created', 'room=order:{id}')$$, 'the trigger shows the watch');
SELECT is(pulse.watch('orders', 'order:created', '{all}'), 'orders_insert_order_created_2', 'a second watch of the same event gets a number');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (1, 'ann', DEFAULT, 1.50, NULL)$$,
    'order:created {order:1} {"id":1,"customerName":"ann","status":"open","total":1.50,"note":null}', 'order:created {all} {"id":1,"customerName":"ann","status":"open","total":1.50,"note":null}');
SELECT pg_temp.publishes($$UPDATE orders SET note = 'x'$$);
SELECT is(pulse.unwatch('orders', 'orders_insert_order_created_2'), 1, 'unwatch by the trigger''s name');
SELECT is(pulse.unwatch('orders', 'order:created'), 1, 'unwatch by the event''s name');
SELECT is(pulse.unwatch('orders', 'order:created'), 0, 'nothing left to unwatch');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (2, 'bob')$$);

-- Operations, columns, conditions
SELECT is(pulse.watch('orders', 'changed', ARRAY['order:{id}'], 'update', '{status,note}', 'NEW.id < 10 -- below ten', '{"id":"{id}","status":"{status}","was":"{old.status}"}', name => 'w1'), 'w1', 'update, columns, condition and payload');
SELECT is(pg_temp.definition('w1'), $$AFTER UPDATE ON app.orders FOR EACH ROW WHEN ((((old.status IS DISTINCT FROM new.status) OR (old.note IS DISTINCT FROM new.note)) AND (new.id < 10))) EXECUTE FUNCTION pulse.publish_trigger('event=changed', 'room=order:{id}', 'payload={"id":"{id}","status":"{status}","was":"{old.status}"}')$$, 'columns and condition are the trigger''s WHEN');
SELECT pg_temp.publishes($$UPDATE orders SET status = 'paid' WHERE id = 1$$, 'changed {order:1} {"id":1,"status":"paid","was":"open"}');
SELECT pg_temp.publishes($$UPDATE orders SET status = 'paid', total = 7 WHERE id = 1$$);
SELECT pg_temp.publishes($$UPDATE orders SET note = NULL WHERE id = 1$$, 'changed {order:1} {"id":1,"status":"paid","was":"paid"}');
SELECT pg_temp.publishes($$UPDATE orders SET id = 11, status = 'x' WHERE id = 1$$);
SELECT pulse.unwatch('orders');
SELECT lives_ok($$SELECT pulse.watch('orders', 'any', ARRAY['o:{id}', 'was:{old.id}', 'is:{new.id}'], ' Insert OR update,DELETE ', '{status}', payload => '{"id":"{id}","old":"{old.status}"}', name => 'w2')$$, 'all operations at once, in any spelling');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (3, 'c')$$, 'any {o:3,is:3} {"id":3,"old":null}');
SELECT pg_temp.publishes($$UPDATE orders SET note = 'same status' WHERE id = 3$$);
SELECT pg_temp.publishes($$UPDATE orders SET status = NULL WHERE id = 3$$, 'any {o:3,was:3,is:3} {"id":3,"old":"open"}');
SELECT pg_temp.publishes($$UPDATE orders SET status = NULL WHERE id = 3$$);
SELECT pg_temp.publishes($$UPDATE orders SET status = 'x', id = 4 WHERE id = 3$$, 'any {o:4,was:3,is:4} {"id":4,"old":null}');
SELECT pg_temp.publishes($$DELETE FROM orders WHERE id = 4$$, 'any {o:4,was:4} {"id":4,"old":"x"}');
SELECT is(pulse.unwatch('orders'), 1, 'unwatch all');
SELECT pulse.watch('orders', 'gone', ARRAY['o:{id}'], 'delete');
SELECT pg_temp.publishes($$DELETE FROM orders WHERE id = 11$$, 'gone {o:11} {"id":11,"customerName":"ann","status":"x","total":7.00,"note":null}');
SELECT pg_temp.publishes($$TRUNCATE orders$$);
SELECT pulse.unwatch('orders');

-- Rooms
SELECT pulse.watch('orders', 'e', ARRAY['c:{customer_name}', 'c:{customer_name}', '{note}', 'fixed:{{x}}'], payload => '{}', partition_key => '{customer_name}/{id}', channel => 'orders_created');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (1, E'a:b%c\n\x1e\u007f"é😀 /', NULL, NULL, NULL)$$, 'e {"c:a%3Ab%25c%0A%1E%7F\"é😀 /","fixed:{x}"} {}');
SELECT is(partition_key || ' ' || channel, E'a:b%c\n\x1e\u007f"é😀 //1 orders_created', 'partition key and legacy channel go along')
FROM pulse.events WHERE name = 'e' ORDER BY id DESC LIMIT 1;
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (2, NULL, NULL, NULL, 'note')$$, 'e {note,"fixed:{x}"} {}');
SELECT is(partition_key, NULL, 'a null value gives no partition key') FROM pulse.events WHERE name = 'e' ORDER BY id DESC LIMIT 1;
SELECT pulse.unwatch('orders');
SELECT pulse.watch('orders', 'e', ARRAY['c:{customer_name}'], payload => '{}');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (3, NULL)$$);
SELECT throws_ok($$INSERT INTO orders VALUES (4, repeat('x', 254))$$, '22023', NULL, 'a room over 255 bytes fails the statement');
SELECT is((pg_temp.failure($$INSERT INTO orders VALUES (4, repeat('x', 254))$$)).message, 'trigger "orders_insert_e" on table "orders": room name "c:' || repeat('x', 58) || '…" is too long: 256 bytes', 'the message names the trigger');
SELECT pulse.unwatch('orders');

-- Payload templates
SELECT pulse.watch('orders', 'e', '{r}', payload => E' { "n" : "{total}", "t":"{total:text}", "mix":"#{id} \\"{customer_name}\\" {{id}}", "none":"{note}", "left?":"{note}", "mixleft?":"x{note}",
    "nullleft?":null, "kept?":"{id}", "deep":{"a":[1, "{id}", {"b?":"{note}"}, true, null, -1.50e2]}, "id\\u0022":"{id}" }');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (5, E'q"\\ \t\n\x1e\u2028😀', NULL, 2, NULL)$$,
    $$e {r} {"n":2.00,"t":"2.00","mix":"#5 \"q\"\\ \t\n\u001e$$ || U&'\2028' || $$😀\" {id}","none":null,"kept":5,"deep":{"a":[1,5,{},true,null,-1.50e2]},"id\u0022":5}$$);
SELECT pulse.unwatch('orders');

-- Typed values
CREATE TYPE mood AS ENUM ('sad', 'ha"ppy');
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE TYPE pair AS (first_part int, "second" timestamptz);
CREATE TABLE kinds (row_id int, v_bool bool, v_i2 int2, v_i8 int8, v_f4 float4, v_f8 float8, v_num numeric, v_text text, v_char char(3), v_name name, v_uuid uuid,
    v_mood mood, v_small small, v_json json, v_jsonb jsonb, v_tz timestamptz, v_ts timestamp, v_date date, v_time time, v_int interval, v_bytes bytea,
    v_ints int[], v_times timestamptz[], v_pair pair, v_pairs pair[], v_inet inet, v_range int4range);
SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL DateStyle = 'German';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL extra_float_digits = 0;
SELECT pulse.watch('kinds', 'k', '{r}');
SELECT pg_temp.publishes($$INSERT INTO kinds VALUES (1, true, -2, 9007199254740993, 0.1, 1e-7, 1.2300, 'x', 'a', 'n', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
    'ha"ppy', 7, '{"b": [1,  2], "a" : "x y"}', '{"b": 1, "a": null}', '2024-02-29 23:59:59.999999+05:30', '2024-02-29 23:59:59.9', '2024-02-29', '10:00', '1 day 02:00:00.5', '\x00ff10',
    '{{1,2},{NULL,4}}', '{2024-01-01 00:00:00+00,infinity}', '(1,"2024-01-01 00:00:00+00")', ARRAY[ROW(2,NULL)::pair, NULL], '10.0.0.1/8', '[1,5)')$$,
    'k {r} {"rowId":1,"vBool":true,"vI2":-2,"vI8":9007199254740993,"vF4":0.1,"vF8":1e-07,"vNum":1.2300,"vText":"x","vChar":"a  ","vName":"n","vUuid":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",'
    '"vMood":"ha\"ppy","vSmall":7,"vJson":{"b":[1,2],"a":"x y"},"vJsonb":{"a":null,"b":1},"vTz":"2024-02-29T18:29:59.999Z","vTs":"2024-02-29T23:59:59.900","vDate":"2024-02-29","vTime":"10:00:00","vInt":"P1DT2H0.5S","vBytes":"AP8Q",'
    '"vInts":[[1,2],[null,4]],"vTimes":["2024-01-01T00:00:00.000Z","infinity"],"vPair":{"firstPart":1,"second":"2024-01-01T00:00:00.000Z"},"vPairs":[{"firstPart":2,"second":null},null],"vInet":"10.0.0.1/8","vRange":"[1,5)"}');
SELECT pulse.unwatch('kinds');
SELECT pulse.watch('kinds', 'k', '{r}', payload => '{"a":"{v_f4}","b":"{v_f8}","c":"{v_num}","d":"{v_tz}","e":"{v_date}","f":"{v_ints}","g":"{v_bool:text}","h":"{v_json:text}"}');
SELECT pg_temp.publishes($$INSERT INTO kinds (v_f4, v_f8, v_num, v_tz, v_date, v_ints, v_bool, v_json) VALUES ('NaN', '-Infinity', 'Infinity', '-infinity', 'infinity', '{}', false, ' [1, 2] ')$$,
    'k {r} {"a":"NaN","b":"-Infinity","c":"Infinity","d":"-infinity","e":"infinity","f":[],"g":"false","h":"[1,2]"}');
SELECT pg_temp.publishes($$INSERT INTO kinds (v_f4, v_f8, v_num, v_tz, v_date, v_ints) VALUES (1e30, 1e300, -0.0000001, '0044-03-15 00:00:00+00 BC', '12024-01-01', '[0:1]={1,2}')$$,
    'k {r} {"a":1e+30,"b":1e+300,"c":-0.0000001,"d":"-000043-03-15T00:00:00.000Z","e":"+012024-01-01","f":[1,2],"g":null,"h":null}');
RESET TimeZone; RESET DateStyle; RESET IntervalStyle; RESET extra_float_digits;


-- Types without an equality of their own are compared by their text, in WHEN and by the trigger function
SELECT pulse.unwatch('kinds');
SELECT pulse.watch('kinds', 'k', '{r}', 'update', '{v_json}', payload => '{"j":"{v_json}"}');
SELECT pulse.watch('kinds', 'k2', '{r}', 'update,delete', '{v_json,v_num}', payload => '{"j":"{v_json}"}');
SELECT matches(pg_temp.definition('kinds_update_k'), 'WHEN \(\(?\(old\.v_json\)::text IS DISTINCT FROM \(new\.v_json\)::text\)', 'json is compared as text');
DELETE FROM kinds WHERE row_id IS NOT NULL OR v_f4 = 'NaN';
SELECT pg_temp.publishes($$UPDATE kinds SET v_json = '[1]', v_num = 1.0$$, 'k2 {r} {"j":[1]}', 'k {r} {"j":[1]}');
SELECT pg_temp.publishes($$UPDATE kinds SET v_json = '[1]', v_num = 1.00$$);
SELECT pg_temp.publishes($$UPDATE kinds SET v_json = '[1 ]'$$, 'k2 {r} {"j":[1]}', 'k {r} {"j":[1]}');
SELECT pg_temp.publishes($$UPDATE kinds SET v_json = NULL$$, 'k2 {r} {"j":null}', 'k {r} {"j":null}');

-- Keys of the whole row
CREATE TABLE odd ("weird ""col" int, _lead int, trail_ int, two__bars int, a_b int, "aB" int, a_1 int, "ünde_r" int);
SELECT pulse.watch('odd', 'o', '{"r:{weird \"col}"}');
SELECT pg_temp.publishes($$INSERT INTO odd VALUES (1, 2, 3, 4, 5, 6, 7, 8)$$, 'o {r:1} {"weird \"col":1,"_lead":2,"trail_":3,"twoBars":4,"a_b":5,"aB":6,"a1":7,"ündeR":8}');
SELECT pulse.unwatch('odd');
SELECT pulse.watch('odd', 'o', '{r}', payload => '{"x":"{weird \"col}"}');
SELECT pg_temp.publishes($$INSERT INTO odd VALUES (1)$$, 'o {r} {"x":1}');

-- Many rows of one statement keep their order; WITH and ON CONFLICT and MERGE fire as any trigger does
SELECT pulse.watch('orders', 'e', '{r}', 'insert,update', payload => '{"id":"{id}"}');
SELECT pg_temp.publishes($$INSERT INTO orders SELECT i FROM generate_series(21, 23) i$$, 'e {r} {"id":21}', 'e {r} {"id":22}', 'e {r} {"id":23}');
SELECT pg_temp.publishes($$INSERT INTO orders VALUES (23), (24) ON CONFLICT (id) DO UPDATE SET note = 'again'$$, 'e {r} {"id":23}', 'e {r} {"id":24}');
SELECT pulse.unwatch('orders');

-- Partitions: attached with other attribute numbers, attached later, detached
CREATE TABLE logs (id int, kind text, body text) PARTITION BY LIST (kind);
CREATE TABLE logs_a PARTITION OF logs FOR VALUES IN ('a');
CREATE TABLE logs_b (gone int, body text, kind text, id int);
ALTER TABLE logs_b DROP COLUMN gone;
ALTER TABLE logs ATTACH PARTITION logs_b FOR VALUES IN ('b');
SELECT is(pulse.watch('logs', 'log', ARRAY['log:{id}'], 'insert or update or delete', columns => '{body}', payload => '{"id":"{id}","body":"{body}","old":"{old.body}"}'), 'logs_insert_update_delete_log', 'a partitioned table is watched');
SELECT pg_temp.publishes($$INSERT INTO logs VALUES (1, 'a', 'x'), (2, 'b', 'y')$$, 'log {log:1} {"id":1,"body":"x","old":null}', 'log {log:2} {"id":2,"body":"y","old":null}');
SELECT pg_temp.publishes($$UPDATE logs SET body = body || '!'$$, 'log {log:1} {"id":1,"body":"x!","old":"x"}', 'log {log:2} {"id":2,"body":"y!","old":"y"}');
SELECT pg_temp.publishes($$UPDATE logs SET id = id + 10$$);
CREATE TABLE logs_c (body text, id int, kind text);
ALTER TABLE logs ATTACH PARTITION logs_c FOR VALUES IN ('c');
SELECT pg_temp.publishes($$INSERT INTO logs VALUES (3, 'c', 'z')$$, 'log {log:3} {"id":3,"body":"z","old":null}');
SELECT pg_temp.publishes($$UPDATE logs SET kind = 'a' WHERE id = 3$$, 'log {log:3} {"id":3,"body":"z","old":"z"}', 'log {log:3} {"id":3,"body":"z","old":null}');
ALTER TABLE logs DETACH PARTITION logs_b;
SELECT pg_temp.publishes($$INSERT INTO logs_b (id, kind, body) VALUES (4, 'b', 'w')$$);
SELECT throws_ok($$SELECT pulse.unwatch('logs_a', 'logs_insert_update_delete_log')$$, '2BP01', NULL, 'the trigger of a partition belongs to its table');
SELECT is(pulse.unwatch('logs_a'), 0, 'unwatch of a partition drops its own watches only');
SELECT is(pulse.unwatch('logs'), 1, 'unwatch of the partitioned table');
SELECT pg_temp.publishes($$INSERT INTO logs VALUES (3, 'c', 'z')$$);

-- Inheritance: a child is watched on its own
CREATE TABLE parents (id int);
CREATE TABLE children (extra text) INHERITS (parents);
SELECT pulse.watch('parents', 'p', '{r}');
SELECT pg_temp.publishes($$INSERT INTO parents VALUES (1)$$, 'p {r} {"id":1}');
SELECT pg_temp.publishes($$INSERT INTO children VALUES (1)$$);
SELECT pulse.watch('children', 'c', '{r}');
SELECT pg_temp.publishes($$UPDATE parents SET id = 2$$);
SELECT pg_temp.publishes($$INSERT INTO children VALUES (1, 'x')$$, 'c {r} {"id":1,"extra":"x"}');

-- The table changes under its watch
CREATE TABLE moving (id int, a text, b text);
SELECT pulse.watch('moving', 'm', ARRAY['r:{id}'], payload => '{"a":"{a}"}');
SELECT pulse.watch('moving', 'row', '{r}', name => 'z_row');
SELECT pg_temp.publishes($$INSERT INTO moving VALUES (1, 'x', 'y')$$, 'm {r:1} {"a":"x"}', 'row {r} {"id":1,"a":"x","b":"y"}');
ALTER TABLE moving DROP COLUMN b, ADD COLUMN c json;
SELECT pg_temp.publishes($$INSERT INTO moving VALUES (1, 'x', '[1, 2]')$$, 'm {r:1} {"a":"x"}', 'row {r} {"id":1,"a":"x","c":[1,2]}');
ALTER TABLE moving ALTER COLUMN a TYPE int USING 1;
SELECT pg_temp.publishes($$INSERT INTO moving VALUES (1, 2)$$, 'm {r:1} {"a":2}', 'row {r} {"id":1,"a":2,"c":null}');
ALTER TABLE moving RENAME TO moved;
ALTER TABLE moved RENAME COLUMN a TO renamed;
SELECT pg_temp.refused($$INSERT INTO moved VALUES (1, 2)$$, '42703', 'trigger "moving_insert_m" on table "moved": placeholder "{a}": table app.moved has no column "a"',
    'Columns of app.moved: id, renamed, c. Call pulse.unwatch\(''moved'', ''moving_insert_m''\) and pulse.watch again', 'a renamed column fails the statement clearly');
SELECT is(pulse.unwatch('moved', 'm'), 1, 'as the hint says: unwatch');
SELECT pulse.watch('moved', 'm', ARRAY['r:{id}'], payload => '{"a":"{renamed}"}', on_error => 'warn');
SELECT pg_temp.publishes($$INSERT INTO moved VALUES (1, 2)$$, 'm {r:1} {"a":2}', 'row {r} {"id":1,"renamed":2,"c":null}');

-- on_error warn: the statement lives, the event is lost
ALTER TABLE moved RENAME COLUMN renamed TO again;
SELECT pg_temp.publishes($$INSERT INTO moved VALUES (1, 2)$$, 'row {r} {"id":1,"again":2,"c":null}');
SELECT is((SELECT count(*)::int FROM moved), 5, 'the row is there');
SELECT pulse.unwatch('moved');
SELECT pulse.watch('moved', repeat('r', 255), ARRAY['room:{c}'], payload => '{}', on_error => 'warn');
SELECT pg_temp.publishes(format('INSERT INTO moved VALUES (1, 2, %L), (2, 2, %L)', to_json(repeat('x', 300)), '"y"'), repeat('r', 255) || ' {"room:\"y\""} {}');

-- What is skipped or lost is counted
SELECT pulse.watch('orders', 'e', ARRAY['{note}', '{status}', 'fixed'], on_error => 'warn');
CREATE TEMPORARY TABLE counters AS SELECT (pulse.status() -> 'counters' ->> 'skippedRooms')::int AS skipped, (pulse.status() -> 'counters' ->> 'warnedEvents')::int AS warned;
INSERT INTO orders (id, note, status) VALUES (31, NULL, NULL), (32, NULL, 'x'), (33, 'y', 'x'), (34, E'\x07', 'x'), (35, '', 'x');
SELECT is((pulse.status() -> 'counters' ->> 'skippedRooms')::int - skipped, 3, 'rooms skipped for a null are counted') FROM counters;
SELECT is((pulse.status() -> 'counters' ->> 'warnedEvents')::int - warned, 1, 'and events lost by on_error warn') FROM counters;
SELECT pulse.unwatch('orders');

-- Refused when the watch is made
CREATE VIEW a_view AS SELECT * FROM orders;
CREATE FUNCTION app.instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER instead INSTEAD OF INSERT ON a_view FOR EACH ROW EXECUTE FUNCTION app.instead();
CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS id;
CREATE TEMPORARY TABLE a_temp (id int);
CREATE SEQUENCE a_sequence;
CREATE UNLOGGED TABLE unlogged (id int);
SELECT lives_ok($$SELECT pulse.watch('unlogged', 'e', '{r}')$$, 'an unlogged table is watched');
SELECT pg_temp.refused($$SELECT pulse.watch('a_view', 'e', '{r}')$$, '42809', 'cannot watch app.a_view: it is a view', 'INSTEAD OF', 'a view');
SELECT pg_temp.refused($$SELECT pulse.watch('a_matview', 'e', '{r}')$$, '42809', 'cannot watch app.a_matview: it is a materialized view', 'tables that it reads', 'a materialized view');
SELECT pg_temp.refused($$SELECT pulse.watch('a_sequence', 'e', '{r}')$$, '42809', 'cannot watch app.a_sequence: it is no table', 'partitioned tables', 'a sequence');
SELECT throws_like($$SELECT pulse.watch('a_temp', 'e', '{r}')$$, '%it is a temporary table', 'a temporary table');
SELECT throws_like($$SELECT pulse.watch('pg_class', 'e', '{r}')$$, '%it is a system catalog', 'a system catalog');
SELECT throws_like($$SELECT pulse.watch('pulse.events', 'e', '{r}')$$, '%it is a table of pulse itself', 'a table of pulse');
SELECT throws_ok($$SELECT pulse.watch('no_such', 'e', '{r}')$$, '42P01', NULL, 'no such table');
SELECT throws_ok($$SELECT pulse.watch(0, 'e', '{r}')$$, '42P01', NULL, 'no table with that OID');
SELECT throws_ok($$SELECT pulse.watch(NULL, 'e', '{r}')$$, '22004', 'relation is null', 'no table at all');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'disconnect', '{r}')$$, '22023', 'event name "disconnect" is reserved', 'any other name', 'a reserved event name');
SELECT throws_ok($$SELECT pulse.watch('orders', NULL, '{r}')$$, '22004', 'event is null', 'no event name');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{}')$$, '22023', 'rooms is an empty array', 'at least one room', 'no room');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', NULL)$$, '22004', 'rooms is null', 'null instead of rooms');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{a,NULL}')$$, '22004', 'an element of rooms is null', 'a null room');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{""}')$$, '22023', 'room name is empty', 'an empty room');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', ARRAY[E'a\n{id}'])$$, '22023', NULL, 'a room with a newline');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r:{nope}'])$$, '42703', 'placeholder "{nope}": table app.orders has no column "nope"', 'Columns of app.orders: id, customer_name, status, total, note\.', 'an unknown column in a room');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r:{old.id}'])$$, '22023', 'placeholder "{old.id}": an insert has no old row', 'update or delete', 'the old row of an insert');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r:{new.id}'], 'delete')$$, '22023', 'placeholder "{new.id}": a delete has no new row', '\{old\.column\}', 'the new row of a delete');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r:{id'])$$, '22023', 'single "{" in the template "r:{id"', '\{\{', 'an open brace');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r}'])$$, '22023', 'single "}" in the template "r}"', '\}\}', 'a closing brace');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r{}'])$$, '22023', 'placeholder "{}" names no column', '\{column\}', 'an empty placeholder');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', ARRAY['r{id:json}'])$$, '22023', 'unknown form "json" in the placeholder "{id:json}"', 'text', 'an unknown form');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', 'insert, truncate')$$, '22023', 'unknown operation "truncate"', 'insert, update and delete', 'an unknown operation');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', 'insert,')$$, '22023', 'an operation is missing', 'a comma too much');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', on_error => 'ignore')$$, '22023', 'unknown on_error "ignore"', 'abort.*warn', 'an unknown on_error');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', 'update', '{status,nope}')$$, '42703', 'columns: table app.orders has no column "nope"', 'Columns of app.orders', 'an unknown column');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', 'insert,update', '{nope}')$$, '42703', NULL, 'an unknown column, compared by the trigger');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', 'insert', '{status}')$$, '22023', 'columns are given, but update is not watched', 'Add update', 'columns without update');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', 'update', '{}')$$, '22023', 'columns is an empty array', 'no columns');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', condition => 'NEW.id >')$$, '42601', NULL, 'a condition that is no SQL');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', condition => 'NEW.nope = 1')$$, '42703', NULL, 'a condition over an unknown column');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', condition => 'OLD.id = 1')$$, '42P17', NULL, 'a condition over OLD of an insert');
SELECT throws_ok(format('SELECT pulse.watch(''orders'', ''e'', ''{r}'', condition => %L)', condition), '42601', NULL, 'nothing hides in a condition: ' || condition)
FROM unnest(ARRAY['true) EXECUTE FUNCTION app.instead(); DROP TABLE orders; --', 'true), (false', 'true) FROM orders WHERE (true', '', 'true; SELECT 1', '/* open', '1) AS x, (2']) condition;
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', payload => '["{id}"]')$$, '22023', 'payload template is not a JSON object', 'JSON object such as', 'a payload template that is no object');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', payload => '{"a":{"b":["{nope}"]}}')$$, '42703', NULL, 'an unknown column deep in the payload');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', channel => repeat('c', 64))$$, '22023', 'channel "' || repeat('c', 60) || '…" is too long: 64 bytes', '1 to 63 bytes', 'a channel of 64 bytes');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', channel => 'pulse_orders')$$, '22023', 'channel "pulse_orders" is reserved', 'begin with pulse_', 'a channel of the dispatcher''s own');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', partition_key => '{nope}')$$, '42703', NULL, 'an unknown column in the partition key');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', partition_key => '')$$, '22023', 'partition_key is empty', 'an empty partition key');
SELECT lives_ok($$SELECT pulse.watch('orders', 'e', '{r}', name => 'taken')$$, 'a name of one''s own');
SELECT pg_temp.refused($$SELECT pulse.watch('orders', 'e', '{r}', name => 'taken')$$, '42710', 'trigger "taken" on app.orders already exists', 'pulse\.unwatch\(''app\.orders'', ''taken''\)', 'a name that is taken');
SELECT throws_ok($$SELECT pulse.watch('orders', 'e', '{r}', name => repeat('n', 64))$$, '42602', NULL, 'a name of 64 bytes');
SELECT is(length(pulse.watch('orders', repeat('é', 100), '{r}')), 38, 'a long event name is cut in the trigger''s name, between characters');
SELECT is((SELECT count(*)::int FROM pg_trigger WHERE tgrelid = 'orders'::regclass), 2, 'what was refused left nothing behind');
SELECT pulse.unwatch('orders');

-- The trigger function by hand
SELECT pg_temp.refused($$CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pulse.publish_trigger('event=e', 'nonsense'); INSERT INTO orders VALUES (50)$$,
    '22023', 'trigger "t" on table "orders": unknown argument "nonsense" of pulse.publish_trigger', 'event=', 'unknown arguments');
SELECT throws_ok($$CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pulse.publish_trigger(); INSERT INTO orders VALUES (50)$$, '22023', NULL, 'no arguments');
SELECT throws_ok($$CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pulse.publish_trigger('event=e', 'room=r'); INSERT INTO orders VALUES (50)$$, '39P01', NULL, 'BEFORE is refused');
SELECT throws_ok($$CREATE TRIGGER t AFTER INSERT ON orders EXECUTE FUNCTION pulse.publish_trigger('event=e', 'room=r'); INSERT INTO orders VALUES (50)$$, '39P01', NULL, 'FOR EACH STATEMENT is refused');
SELECT throws_ok($$SELECT pulse.publish_trigger()$$, '39P01', NULL, 'a call without a trigger is refused');

-- Rights
SET LOCAL ROLE pulse_client;
SELECT throws_ok($$SELECT pulse.watch('pulse.events', 'e', '{r}')$$, '42501', 'permission denied for function watch', 'only publishers and admins watch');
RESET ROLE;
SELECT pulse.watch('orders', 'e', '{r}', payload => '{"by":"{customer_name}"}');
GRANT USAGE ON SCHEMA app TO pulse_client;
GRANT INSERT ON orders TO pulse_client;
SET LOCAL ROLE pulse_client;
SELECT lives_ok($$INSERT INTO orders VALUES (60, 'client')$$, 'whoever may insert publishes by it, without rights of pulse');
RESET ROLE;
SELECT is((SELECT payload ->> 'by' FROM pulse.events ORDER BY id DESC LIMIT 1), 'client', 'and the event is there');
GRANT USAGE ON SCHEMA app TO pulse_publisher;
SET LOCAL ROLE pulse_publisher;
SELECT throws_ok($$SELECT pulse.watch('app.orders', 'e', '{r}')$$, '42501', 'permission denied for table orders', 'a watch needs the TRIGGER right');
RESET ROLE;

-- a type's own cast to JSON is used while there is one
CREATE TYPE temper AS ENUM ('fine');
CREATE FUNCTION temper_json(temper) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN '{"is":"fine"}'; END $$;
CREATE TABLE tempers (temper temper);
SELECT pulse.watch('tempers', 'mood', ARRAY['r']);
SELECT pg_temp.published();
INSERT INTO tempers VALUES ('fine');
SELECT is(pg_temp.published(), ARRAY['mood {r} {"temper":"fine"}'], 'a type without a cast to JSON is its text');
CREATE CAST (temper AS json) WITH FUNCTION temper_json(temper);
INSERT INTO tempers VALUES ('fine');
SELECT is(pg_temp.published(), ARRAY['mood {r} {"temper":{"is":"fine"}}'], 'a cast counts from its creation on');
DROP FUNCTION temper_json(temper) CASCADE;
INSERT INTO tempers VALUES ('fine');
SELECT is(pg_temp.published(), ARRAY['mood {r} {"temper":"fine"}'], 'and until it is dropped');

SELECT * FROM finish();
ROLLBACK;
