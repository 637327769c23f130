-- Job offers: whom they reach, who may answer, and that one acceptance wins. Its race is tests/isolation/specs/moves.spec.
BEGIN;
SELECT plan(38);

CREATE FUNCTION pg_temp.events() RETURNS TABLE (name text, rooms text[], payload json) LANGUAGE plpgsql AS $$
DECLARE
    v_seen bigint := coalesce(nullif(current_setting('t.seen', true), ''), '0')::bigint;
BEGIN
    RETURN QUERY SELECT e.name, e.rooms, e.payload FROM pulse.events e WHERE e.id > v_seen ORDER BY e.id;
    PERFORM set_config('t.seen', (SELECT max(e.id)::text FROM pulse.events e), true);
END
$$;
CREATE FUNCTION pg_temp.emit(user_id text, event text, args json, role text DEFAULT 'porter') RETURNS json LANGUAGE sql AS $$
    SELECT h.ack -> 0 FROM pulse.handle('/porter', event, args, json_build_object('claims', json_build_object('role', role),
        'userId', user_id, 'sessionId', 's1', 'socketId', 'k1', 'namespace', '/porter')) h
$$;
CREATE FUNCTION pg_temp.refused(user_id text, event text, args json, state text, message text, description text, role text DEFAULT 'porter') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    PERFORM pg_temp.emit(user_id, event, args, role);
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || ' ' || v_message || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state || ' ' || message, description);
END
$$;
CREATE TEMPORARY TABLE e (name text, rooms text[], payload json);

INSERT INTO moves.orders (id, customer_id, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude) VALUES ('o1', 'ann', 19.07, 72.87, 19.2, 72.9);
WITH offer AS (INSERT INTO moves.job_offers (id, order_id) VALUES ('j1', 'o1') RETURNING id)
INSERT INTO moves.job_offer_porters (offer_id, porter_id) SELECT offer.id, p FROM offer, unnest('{pat,quin,ray}'::text[]) AS p;
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT name, rooms[1] FROM e WHERE name = 'job:offer'$$, $$VALUES ('job:offer', 'user:pat'), ('job:offer', 'user:quin'), ('job:offer', 'user:ray')$$, 'M4: an offer goes to each of its porters');
SELECT is((SELECT payload::jsonb FROM e WHERE rooms = '{user:pat}'), jsonb_build_object('offerId', 'j1', 'orderId', 'o1', 'pickup', '{"latitude":19.07,"longitude":72.87}'::jsonb,
    'dropoff', '{"latitude":19.2,"longitude":72.9}'::jsonb, 'expiresAt', to_char((now() + interval '60 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')), 'M4: its payload; it expires after a minute');
SELECT results_eq($$SELECT payload ->> 'status', payload ->> 'previousStatus' FROM e WHERE name = 'order:status:updated'$$, $$VALUES ('offered', 'created')$$, 'M4: the order is offered');
TRUNCATE e;

-- who may answer
SELECT pg_temp.refused('sam', 'job:offer:accept', '[{"offerId":"j1"}]', 'PL403', 'this job was not offered to you', 'M4: nobody else accepts');
SELECT pg_temp.refused('sam', 'job:offer:accept', '[{"offerId":"none"}]', 'PL403', 'this job was not offered to you', 'M4: nor an offer that does not exist');
SELECT pg_temp.refused('pat', 'job:offer:accept', '[{"offerId":"j1"}]', 'PL403', 'accepting a job is for porters', 'M2: only porters accept', 'customer');
SELECT pg_temp.refused('pat', 'job:offer:reject', '[{"offerId":"j1"}]', 'PL403', 'rejecting a job is for porters', 'M2: only porters reject', 'admin');
SELECT pg_temp.refused('pat', 'job:offer:accept', '[{}]', 'PL422', 'offerId must be a text of 1 to 200 characters', 'M4: an offer is named');
SELECT is(pg_temp.emit('ray', 'job:offer:reject', '[{"offerId":"j1","reason":"too far"}]')::jsonb, '{"ok":true,"orderId":"o1"}', 'M4: a porter rejects');
SELECT results_eq($$SELECT answer, reason FROM moves.job_offer_porters WHERE porter_id = 'ray'$$, $$VALUES ('rejected', 'too far')$$, 'M4: with a reason');
SELECT is(pg_temp.emit('ray', 'job:offer:reject', '[{"offerId":"j1"}]')::jsonb ->> 'ok', 'true', 'M4: rejecting again is no error');
SELECT pg_temp.refused('ray', 'job:offer:accept', '[{"offerId":"j1"}]', 'PL409', 'you rejected this job', 'M4: who rejected does not accept any more');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'M4: a rejection is nobody else''s news');

-- one wins, over all offers of the order
INSERT INTO moves.job_offers (id, order_id) VALUES ('j2', 'o1');
INSERT INTO moves.job_offer_porters (offer_id, porter_id) VALUES ('j2', 'sam');
SELECT count(*) FROM pg_temp.events();
SELECT is(pg_temp.emit('pat', 'job:offer:accept', '[{"offerId":"j1"}]')::jsonb, '{"ok":true,"orderId":"o1"}', 'M4: the first acceptance wins');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT porter_id, status FROM moves.orders', $$VALUES ('pat' COLLATE "C", 'assigned')$$, 'M4: the order is the porter''s');
SELECT results_eq($$SELECT rooms[1], payload::jsonb FROM e WHERE name = 'job:offer:closed' ORDER BY 1$$,
    $$VALUES ('user:pat', '{"offerId":"j1","status":"accepted","won":true}'::jsonb), ('user:quin', '{"offerId":"j1","status":"accepted","won":false}'),
             ('user:ray', '{"offerId":"j1","status":"accepted","won":false}'), ('user:sam', '{"offerId":"j2","status":"cancelled","won":false}')$$, 'M4: each porter is told, also of the order''s other offer');
SELECT results_eq($$SELECT payload ->> 'status', payload ->> 'porterId' FROM e WHERE name = 'order:status:updated'$$, $$VALUES ('assigned', 'pat')$$, 'M4: so is the customer');
SELECT is(pg_temp.emit('pat', 'job:offer:accept', '[{"offerId":"j1"}]')::jsonb, '{"ok":true,"orderId":"o1"}', 'M4: the winner may ask again');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'M4: which changes nothing');
SELECT pg_temp.refused('quin', 'job:offer:accept', '[{"offerId":"j1"}]', 'PL409', 'the job was accepted by somebody else', 'M4: the second is too late');
SELECT pg_temp.refused('quin', 'job:offer:reject', '[{"offerId":"j1"}]', 'PL409', 'the job was accepted by somebody else', 'M4: also to reject');
SELECT pg_temp.refused('pat', 'job:offer:reject', '[{"offerId":"j1"}]', 'PL409', 'you accepted this job', 'M4: the winner does not reject');
SELECT pg_temp.refused('sam', 'job:offer:accept', '[{"offerId":"j2"}]', 'PL409', 'the job offer was cancelled', 'M4: nor is the other offer there');
SELECT throws_ok($$UPDATE moves.job_offers SET status = 'accepted' WHERE id = 'j2'$$, '23514', NULL, 'M4: an acceptance is somebody''s');
INSERT INTO moves.job_offers (id, order_id) VALUES ('j3', 'o1');
SELECT throws_ok($$UPDATE moves.job_offers SET status = 'accepted', accepted_by = 'sam' WHERE id = 'j3'$$, 'PL409', 'the order o1 is no longer on offer', 'M4: plain SQL gives no order away twice');

-- time
INSERT INTO moves.orders (id, customer_id) VALUES ('o2', 'ann');
INSERT INTO moves.job_offers (id, order_id, expires_at) VALUES ('j4', 'o2', now() - interval '1 ms');
INSERT INTO moves.job_offer_porters (offer_id, porter_id) VALUES ('j4', 'pat');
SELECT is((SELECT count(*) FROM pg_temp.events() e WHERE e.name = 'job:offer'), 0::bigint, 'M4: an offer whose time is over is offered to nobody');
SELECT pg_temp.refused('pat', 'job:offer:accept', '[{"offerId":"j4"}]', 'PL409', 'the job offer has expired', 'M4: nobody accepts it, also before it is marked');
SELECT is(moves.expire_offer('{"offerId":"j4"}')::jsonb, '{"expired":true}', 'M4: the job marks it');
SELECT results_eq('SELECT name, rooms[1], payload::jsonb FROM pg_temp.events()', $$VALUES ('job:offer:closed', 'user:pat', '{"offerId":"j4","status":"expired","won":false}'::jsonb)$$, 'M4: and tells its porters');
SELECT is(moves.expire_offer('{"offerId":"j4"}')::jsonb, '{"expired":false}', 'M4: once');
SELECT pg_temp.refused('pat', 'job:offer:accept', '[{"offerId":"j4"}]', 'PL409', 'the job offer has expired', 'M4: it stays expired');
SELECT pulse.configure('moves', 'offer_ttl', '5 min');
INSERT INTO moves.job_offers (id, order_id) VALUES ('j5', 'o2');
SELECT is((SELECT expires_at FROM moves.job_offers WHERE id = 'j5'), now() + interval '5 min', 'M4: offer_ttl counts at once');
SELECT is((SELECT j.run_at FROM _pulse.jobs j WHERE j.args -> 'args' ->> 'offerId' = 'j5'), now() + interval '5 min', 'M4: the job comes then');
UPDATE moves.orders SET status = 'cancelled' WHERE id = 'o2';
SELECT is((SELECT status FROM moves.job_offers WHERE id = 'j5'), 'cancelled', 'M4: a cancelled order is not on offer');
SELECT is((SELECT status FROM moves.job_offers WHERE id = 'j1'), 'accepted', 'M4: what was accepted stays');

-- an offer that is deleted, and one that ends earlier
INSERT INTO moves.orders (id, customer_id) VALUES ('o8', 'ann'), ('o9', 'ann');
INSERT INTO moves.job_offers (id, order_id) VALUES ('j8', 'o8'), ('j9', 'o9');
INSERT INTO moves.job_offer_porters (offer_id, porter_id) VALUES ('j8', 'pat'), ('j9', 'pat'), ('j9', 'ray');
SELECT count(*) FROM pg_temp.events();
DELETE FROM moves.job_offers WHERE id = 'j8';
SELECT results_eq('SELECT name, rooms[1], payload::jsonb FROM pg_temp.events()', $$VALUES ('job:offer:closed', 'user:pat', '{"offerId":"j8","status":"cancelled","won":false}'::jsonb)$$, 'M4: a pending offer that is deleted is cancelled for its porters');
UPDATE moves.job_offers SET expires_at = expires_at - interval '30 s' WHERE id = 'j9';
UPDATE moves.job_offers SET expires_at = expires_at - interval '30 s' WHERE id = 'j9';
SELECT is((SELECT array_agg(j.run_at) FROM _pulse.jobs j WHERE j.args #>> '{args,offerId}' = 'j9'), (SELECT array_agg(expires_at) FROM moves.job_offers WHERE id = 'j9'), 'M4: an offer that ends earlier is told to be over then, once');
DELETE FROM moves.orders WHERE id = 'o9';
SELECT results_eq($$SELECT name, rooms[1], payload ->> 'status' FROM pg_temp.events() WHERE name = 'job:offer:closed' ORDER BY 2$$, $$VALUES ('job:offer:closed', 'user:pat', 'cancelled'), ('job:offer:closed', 'user:ray', 'cancelled')$$,
    'M4: so is the offer of an order that is deleted');

SELECT * FROM finish();
ROLLBACK;
