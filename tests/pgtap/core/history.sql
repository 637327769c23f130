-- Cursors, pulse.history and pulse.bridge_history as far as one transaction can see them. What rotates is in tests/isolation and
-- tests/fault. Positions here are 1000001 … 1000010 in two epochs; the first ended at 1000004.
BEGIN;
SELECT plan(71);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO PUBLIC;
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_detail text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || CASE WHEN v_detail <> '' THEN ' ' || v_detail ELSE '' END;
END
$$;

SELECT is((SELECT count(*) FROM pulse.history('r:1')), 0::bigint, 'before the first dispatcher there is no history');
SELECT is((SELECT c.reason FROM _pulse.check_cursor('00000000000000e1:0') c), 'foreign_epoch', 'and no epoch');
SELECT is(_pulse.floor(), 1::bigint, 'everything may be read');

INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00000000000000e1', 'pulse_1', 1000000), ('00000000000000e2', 'pulse_2', 1000004);
INSERT INTO pulse.events (id, xid, slot, at, name, rooms, payload, headers, attachments)
    SELECT 900000 + n, (5000000000 + n % 2)::text::xid8, (n % 3)::smallint, '2030-01-01'::timestamptz + n * interval '1 s', 'event' || n,
           ARRAY['r:' || n % 2, 'all'] || CASE WHEN n = 7 THEN ARRAY['seldom'] ELSE '{}' END, ('{"n":' || n || '.0}')::json, '{"actor":"x"}',
           CASE n WHEN 3 THEN ARRAY['\x0102'::bytea] END
    FROM generate_series(1, 10) n;
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids)
    SELECT 1000000 + min(n), 1000000 + max(n), (min(n) % 3)::smallint, now(), '1:1:', '1:1:', array_agg((5000000000 + n % 2)::text::xid8 ORDER BY n), array_agg(900000 + n ORDER BY n)
    FROM generate_series(1, 10) n GROUP BY n / 4;
INSERT INTO pulse.deliveries (room, position, xid, event_id, slot)
    SELECT room, 1000000 + e.id - 900000, e.xid, e.id, e.slot FROM pulse.events e, unnest(e.rooms) AS room WHERE e.id BETWEEN 900001 AND 900010 AND e.id <> 900005;
INSERT INTO _pulse.quarantine (position, event_id, xid, sqlstate, message) VALUES (1000005, 900005, '5000000001', '22000', 'poison');

-- cursors
SELECT is(c.reason, expected, format('the cursor %L: %s', cursor, coalesce(expected, 'good')))
  FROM (VALUES (NULL, 'unknown'), ('', 'unknown'), ('1000001', 'unknown'), ('00000000000000e2', 'unknown'), ('00000000000000e2:', 'unknown'),
               ('00000000000000e2:-1', 'unknown'), ('00000000000000e2:1 ', 'unknown'), ('00000000000000E2:1000001', 'unknown'),
               ('00000000000000e2:9999999999999999999', 'unknown'), ('e2:1000001', 'unknown'),
               ('00000000000000ee:1000001', 'foreign_epoch'), ('00000000000000e1:1000005', 'foreign_epoch'), ('00000000000000e1:999999999', 'foreign_epoch'),
               ('00000000000000e1:1000004', NULL), ('00000000000000e1:1000000', NULL), ('00000000000000e1:0', NULL),
               ('00000000000000e2:1000004', NULL), ('00000000000000e2:1000001', NULL), ('00000000000000e2:1000010', NULL),
               ('00000000000000e2:1000011', 'future')) AS v (cursor, expected), _pulse.check_cursor(v.cursor) c;
SELECT is((SELECT c.position FROM _pulse.check_cursor('00000000000000e1:1000003') c), 1000003::bigint, 'the position of a cursor');

-- what a bridge that knew another epoch is told
CREATE FUNCTION shop.hello(epoch text) RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', h ->> 'floor', h ->> 'epochKnown', h ->> 'epochEnd') FROM pulse.bridge_hello('b', epoch) h);
SELECT is(shop.hello('00000000000000e1'), '1 true 1000004', 'hello: how far an older epoch is good');
SELECT is(shop.hello('00000000000000e2'), '1 true', 'hello: the current epoch has no end');
SELECT is(shop.hello('00000000000000ee'), '1 false', 'hello: an unknown epoch');
SELECT is(shop.hello(NULL), '1 false', 'hello: none');
SELECT is(pulse.bridge_hello('b') ->> 'position', '1000010', 'hello: the last position');

-- history of a room
CREATE FUNCTION shop.pages(room text, after text, size int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_row    record;
    v_result text := '';
    v_rows   int;
BEGIN
    FOR page IN 1 .. 20 LOOP
        v_rows := 0;
        FOR v_row IN SELECT * FROM pulse.history(room, after, size) LOOP
            v_result := v_result || ' ' || (v_row.id - 900000);
            after := v_row.position;
            v_rows := v_rows + 1;
        END LOOP;
        EXIT WHEN v_rows < size;
        v_result := v_result || ' |';
    END LOOP;
    RETURN v_result;
END
$$;
SELECT is(shop.pages('all', NULL, 100), ' 1 2 3 4 6 7 8 9 10', 'E2: the history of a room in order, without a quarantined event');
SELECT is(shop.pages('all', NULL, 2), ' 1 2 | 3 4 | 6 7 | 8 9 | 10', 'E2: its pages have no holes and no overlap');
SELECT is(shop.pages('all', NULL, 3), ' 1 2 3 | 4 6 7 | 8 9 10 |', 'of any size');
SELECT is(shop.pages('r:1', '00000000000000e1:1000003', 1), ' 7 | 9 |', 'E2: it goes on after a cursor of the epoch before');
SELECT is(shop.pages('all', pulse.position(), 5), '', 'nothing is after the head');
SELECT is(shop.pages('nobody', NULL, 5), '', 'a room without events has none');
SELECT is((SELECT h::text FROM pulse.history('r:1', '00000000000000e2:1000002', 1) h),
          (SELECT ROW('00000000000000e2:1000003', 900003::bigint, 'event3', '{"n":3.0}'::json, '{"actor":"x"}'::json, ARRAY['\x0102'::bytea],
                      '2030-01-01'::timestamptz + interval '3 s')::text), 'a row is the event as it was published, with the cursor to go on from');
SELECT is(shop.error_of(format('SELECT * FROM pulse.history(%L, %L, %s)', room, cursor, size)), expected, format('history of %L after %L, %s rows', room, cursor, size))
  FROM (VALUES ('all', '00000000000000e2:1000011', 5, 'PL410 future'), ('all', '00000000000000e1:1000005', 5, 'PL410 foreign_epoch'), ('all', 'x', 5, 'PL410 unknown'),
               ('all', NULL, 0, 'PL400'), ('all', NULL, 10001, 'PL400'), ('', NULL, 5, 'PL400')) AS v (room, cursor, size, expected);

-- who may
CREATE ROLE shop_reader;
CREATE ROLE shop_admin IN ROLE pulse_admin;
SET LOCAL ROLE shop_reader;
SELECT is(shop.error_of($$SELECT * FROM pulse.history('all')$$), '42501', 'a role without rights reads no history');
SET LOCAL ROLE shop_admin;
SELECT is((SELECT count(*) FROM pulse.history('all')), 9::bigint, 'pulse_admin does');
SET LOCAL ROLE pulse_publisher;
SELECT is((SELECT count(*) FROM pulse.history('all')), 9::bigint, 'pulse_publisher does');
SET LOCAL ROLE pulse_client;
SELECT is(shop.error_of($$SELECT * FROM pulse.history('all')$$), '42501', 'pulse_client does not, outside of a call');
RESET ROLE;
CREATE FUNCTION shop.allow(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN claims ->> 'role' = 'reader';
SELECT pulse.policy('all', 'history', 'shop.allow');
CREATE FUNCTION shop.read(args json) RETURNS json LANGUAGE sql
    BEGIN ATOMIC SELECT json_agg(h.id - 900000) FROM pulse.history(args -> 0 ->> 'room', NULL, 3) h; END;
SELECT pulse.on('read', 'shop.read');
SELECT is((SELECT h.ack::text FROM pulse.handle('/', 'read', '[{"room":"all"}]', '{"userId":"ann","claims":{"role":"reader"}}') h), '[1,2,3]', 'in a handler the policy of the room allows it');
SELECT is(shop.error_of($$SELECT pulse.handle('/', 'read', '[{"room":"all"}]', '{"userId":"ann","claims":{"role":"other"}}')$$), 'PL403', 'or refuses it');
SELECT is(shop.error_of($$SELECT pulse.handle('/', 'read', '[{"room":"r:1"}]', '{"userId":"ann","claims":{"role":"reader"}}')$$), 'PL403', 'a room without a policy is refused');

-- what a bridge reads for many sessions
CREATE FUNCTION shop.found(rooms text[], after int, up_to int, max_events int DEFAULT 1000) RETURNS text LANGUAGE sql
    RETURN (SELECT string_agg((h.position - 1000000)::text, ' ') FROM pulse.bridge_history(rooms, 1000000 + after, 1000000 + up_to, max_events) h);
CREATE FUNCTION shop.many(n int) RETURNS text[] LANGUAGE sql RETURN (SELECT array_agg('quiet:' || g) FROM generate_series(1, n) g);
SELECT is(shop.found(ARRAY['r:0', 'all'], 0, 10), '1 2 3 4 6 7 8 9 10', 'E2: events of overlapping rooms come once, in order');
SELECT is(shop.found(ARRAY['r:0', 'r:0', 'seldom', NULL], 0, 10), '2 4 6 7 8 10', 'rooms named twice count once');
SELECT is(shop.found(ARRAY['r:1'], 3, 9), '7 9', 'after is exclusive, up_to inclusive');
SELECT is(shop.found(ARRAY['all', 'r:1'], 0, 10, 4), '1 2 3 4', 'a page is the first ones of all rooms');
SELECT is(shop.found(ARRAY['all'], 4, 10, 2), '6 7', 'and full although a position was quarantined');
SELECT is(shop.found(ARRAY['nobody'], 0, 10), NULL, 'a room without events has none');
SELECT is(shop.found('{}', 0, 10), NULL, 'no rooms have none');
SELECT is(shop.found(ARRAY['all'], 10, 4), NULL, 'an empty range is empty');
SELECT is(shop.found(ARRAY['all'], 0, 10, 0), NULL, 'a page of none is empty');
SELECT is(shop.found(shop.many(100) || ARRAY['r:1', 'seldom'], 0, 10), '1 3 7 9', 'E2: the same when the range is short against the rooms');
SELECT is(shop.found(shop.many(100) || ARRAY['all'], 0, 10, 4), '1 2 3 4', 'and its page');
SELECT is((SELECT h::text FROM pulse.bridge_history(ARRAY['r:1'], 1000002, 1000003) h), (SELECT r::text FROM pulse.bridge_read(1000002, 1000003) r), 'a row has the form of bridge_read');
SELECT is((SELECT count(*) FROM pulse.bridge_history(ARRAY['all'], -9000000000000000000, 9000000000000000000)), 9::bigint, 'the largest range there can be');

-- rows that somebody has deleted by hand: pages go on behind them
SAVEPOINT deleted;
DELETE FROM pulse.events WHERE id IN (900002, 900003);
SELECT is((SELECT string_agg((r.position - 1000000)::text, ' ') FROM pulse.bridge_read(1000000, 1000010, 3) r), '1 4 6', 'E2: a page of a range is full all the same');
SELECT is((SELECT string_agg((r.position - 1000000)::text, ' ') FROM pulse.bridge_read(1000001, 1000003, 3) r), NULL, 'or really the last one');
SELECT is((SELECT string_agg((r.position - 1000000)::text, ' ') FROM pulse.bridge_read(1000000, 1000005, NULL) r), '1 4', 'without a limit all of it is one page, whatever stands at its end');
SELECT is(shop.found(ARRAY['all'], 0, 10, 3), '1 4 6', 'E2: so is one of rooms');
SELECT is(shop.found(shop.many(100) || ARRAY['all'], 0, 10, 3), '1 4 6', 'E2: also by the range');
SELECT is(shop.pages('all', NULL, 2), ' 1 4 | 6 7 | 8 9 | 10', 'E2: and one of history');
ROLLBACK TO deleted;

-- thousands of rooms, one of them hot
INSERT INTO pulse.events (id, xid, slot, at, name, rooms, payload, headers)
    SELECT 910000 + n, '5000000009', (n % 3)::smallint, now(), 'many', ARRAY[CASE WHEN n % 50 = 0 THEN 'quiet:' || n / 50 ELSE 'hot' END], '1', '{}' FROM generate_series(1, 5000) n;
INSERT INTO pulse.deliveries (room, position, xid, event_id, slot) SELECT e.rooms[1], 1000010 + e.id - 910000, e.xid, e.id, e.slot FROM pulse.events e WHERE e.id BETWEEN 910001 AND 915000;
SELECT is((SELECT array_agg(h.position - 1000010) FROM pulse.bridge_history(shop.many(300) || ARRAY['hot'], 1000010, 2000000, 1000) h),
          (SELECT array_agg(n::bigint) FROM generate_series(1, 1000) n), 'E2: a hot room among quiet ones: the first page');
SELECT is((SELECT array_agg(h.position - 1000010) FROM pulse.bridge_history(shop.many(300), 1000010, 2000000, 70) h),
          (SELECT array_agg(n * 50::bigint) FROM generate_series(1, 70) n), 'E2: only quiet ones');
SELECT is((SELECT array_agg(h.position - 1000010) FROM pulse.bridge_history(shop.many(3) || ARRAY['hot'], 1000010, 2000000, 10000) h),
          (SELECT array_agg(n::bigint) FROM generate_series(1, 5000) n WHERE n % 50 <> 0 OR n <= 150), 'E2: to the end of both');

SELECT * FROM finish();
ROLLBACK;
