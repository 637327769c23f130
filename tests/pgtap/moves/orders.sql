-- Orders in plain SQL: their event, and what a change of the people does.
BEGIN;
SELECT plan(20);

CREATE FUNCTION pg_temp.events() RETURNS TABLE (name text, rooms text[], payload json, partition_key text) LANGUAGE plpgsql AS $$
DECLARE
    v_seen bigint := coalesce(nullif(current_setting('t.seen', true), ''), '0')::bigint;
BEGIN
    RETURN QUERY SELECT e.name, e.rooms, e.payload, e.partition_key FROM pulse.events e WHERE e.id > v_seen ORDER BY e.id;
    PERFORM set_config('t.seen', (SELECT max(e.id)::text FROM pulse.events e), true);
END
$$;
CREATE TEMPORARY TABLE e (name text, rooms text[], payload json, partition_key text);

INSERT INTO moves.orders (id, customer_id, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude)
VALUES ('o1', 'ann', 19.07, 72.87, 19.2, 72.9);
SELECT is((SELECT status FROM moves.orders), 'created', 'M1: an order begins as created');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'M1: a new order changes no status');
UPDATE moves.orders SET pickup_latitude = 19.08;
SELECT is_empty('SELECT * FROM pg_temp.events()', 'M1: nor does an update that leaves it');

UPDATE moves.orders SET porter_id = 'p:1', status = 'assigned', updated_at = '2026-01-02 03:04:05.678+00';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, rooms, partition_key FROM e',
    $$VALUES ('order:status:updated', '{order:o1,user:ann,user:p%3A1}'::text[], 'o1')$$, 'M1: a changed status goes to the order, the customer and the porter');
SELECT is((SELECT payload::text FROM e), '{"orderId":"o1","status":"assigned","previousStatus":"created","porterId":"p:1","updatedAt":"2026-01-02T03:04:05.678Z"}', 'M1: its payload');
TRUNCATE e;
UPDATE moves.orders SET status = 'arrived';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT payload ->> 'status', payload ->> 'previousStatus' FROM e$$, $$VALUES ('arrived', 'assigned')$$, 'M1: and the next');
SELECT is((SELECT updated_at FROM moves.orders), now(), 'M1: updated_at is kept');
TRUNCATE e;

-- rights end
UPDATE moves.orders SET porter_id = 'pat', status = 'loading';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT name, payload ->> 'room', payload ->> 'userId' FROM e WHERE name = 'pulse:evict'$$, $$VALUES ('pulse:evict', 'order:o1', 'p:1')$$,
    'M2: who is no longer the porter leaves the room');
SELECT is((SELECT array_agg(name) FROM e), '{pulse:evict,order:status:updated}'::text[], 'M2: before the event of the change');
TRUNCATE e;
UPDATE moves.orders SET customer_id = 'bob';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT name, payload ->> 'userId' FROM e$$, $$VALUES ('pulse:evict', 'ann')$$, 'M2: so does who is no longer the customer');
TRUNCATE e;
UPDATE moves.orders SET customer_id = 'pat', porter_id = 'bob';
SELECT is_empty('SELECT * FROM pg_temp.events()', 'M2: who stays in another part stays');
DELETE FROM moves.orders;
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT name, payload ->> 'room', payload ->> 'userId' FROM e$$, $$VALUES ('pulse:evict', 'order:o1', NULL)$$, 'M2: everybody leaves the room of a deleted order');

-- what a restore loads
SET LOCAL row_security = off;
INSERT INTO moves.orders (id, customer_id, status) VALUES ('o2', 'ann', 'offered');
INSERT INTO moves.job_offers (id, order_id) VALUES ('j2', 'o2');
INSERT INTO moves.job_offer_porters (offer_id, porter_id) VALUES ('j2', 'pat');
INSERT INTO moves.messages (order_id, sender_id, sender_role, message) VALUES ('o2', 'ann', 'customer', 'hello');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'rows that a restore loads are no events');
SELECT is((SELECT count(*) FROM _moves.waiting), 0::bigint, 'and wait for nobody');

SELECT throws_ok($$INSERT INTO moves.orders (customer_id, status) VALUES ('ann', 'lost')$$, '23514', NULL, 'a status is one of the eight');
SELECT throws_ok($$INSERT INTO moves.orders (customer_id, pickup_latitude) VALUES ('ann', 1)$$, '23514', NULL, 'a position is whole');
SELECT throws_ok($$INSERT INTO moves.orders (id, customer_id) VALUES (E'a\nb', 'ann')$$, '23514', NULL, 'an id fits into the name of a room');

INSERT INTO moves.orders (id, customer_id) VALUES ('old', 'ann');
SELECT count(*) FROM pg_temp.events();
UPDATE moves.orders SET id = 'new' WHERE id = 'old';
SELECT results_eq('SELECT name, payload::jsonb FROM pg_temp.events()', $$VALUES ('pulse:evict', '{"room":"order:old","userId":null,"reason":"the order has another id"}'::jsonb)$$, 'M2: nobody stays in the room of an id that is free');
TRUNCATE moves.orders CASCADE;
SELECT is((SELECT bool_or(payload ->> 'room' = 'order:new') FROM pg_temp.events()), true, 'M2: nor after TRUNCATE');

SELECT throws_ok('INSERT INTO moves.orders (id, customer_id) VALUES (repeat('':'', 100), ''ann'')', '23514', NULL, 'M1: an id whose room would have too long a name is refused');

SELECT * FROM finish();
ROLLBACK;
