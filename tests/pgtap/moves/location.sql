-- location:update and porter:availability, called as the bridge calls them. Who gets the positions is in tests/e2e/moves.test.mjs.
BEGIN;
SELECT plan(35);

INSERT INTO moves.orders (id, customer_id, porter_id, status) VALUES ('o1', 'ann', 'pat', 'in_transit'), ('o2', 'bob', NULL, 'created');

CREATE FUNCTION pg_temp.emit(user_id text, role text, event text, args json, namespace text DEFAULT '/porter') RETURNS TABLE (ack json, effects json) LANGUAGE sql AS $$
    SELECT h.ack, h.effects FROM pulse.handle(namespace, event, args, json_build_object('claims', json_build_object('role', role),
        'userId', user_id, 'sessionId', 's1', 'socketId', 'k1', 'namespace', namespace)) h
$$;
CREATE FUNCTION pg_temp.refused(user_id text, role text, event text, args json, state text, message text, description text, namespace text DEFAULT '/porter') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    PERFORM pg_temp.emit(user_id, role, event, args, namespace);
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || ' ' || v_message || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state || ' ' || message, description);
END
$$;

SELECT is((SELECT ack::text FROM pg_temp.emit('pat', 'porter', 'location:update', '[{"latitude":19.07,"longitude":72.87,"accuracy":5.5,"heading":90,"speed":3,"timestamp":"2026-01-02T03:04:05.678Z"}]')),
    '[{"ok":true}]', 'M3: location:update is acked');
SELECT results_eq('SELECT porter_id, latitude, longitude, accuracy, heading, speed, at, expires_at FROM moves.porter_positions',
    $$VALUES ('pat' COLLATE "C", 19.07::float8, 72.87::float8, 5.5::float8, 90::float8, 3::float8, '2026-01-02 03:04:05.678+00'::timestamptz, now() + interval '1 h')$$,
    'M3: the last position is kept for an hour');
SELECT is((SELECT count(*) FROM moves.porter_track), 1::bigint, 'M3: the first one is kept for good');
SELECT is((SELECT count(*) FROM generate_series(2, 25) n, LATERAL pg_temp.emit('pat', 'porter', 'location:update', json_build_array(json_build_object('latitude', n, 'longitude', 0)))), 24::bigint, 'M3: 24 more');
SELECT is((SELECT array_agg(latitude ORDER BY id) FROM moves.porter_track), '{19.07,11,21}'::float8[], 'M3: one in ten is kept for good');
SELECT is((SELECT latitude FROM moves.porter_positions), 25::float8, 'M3: of the others the last');
SELECT is((SELECT count(*) FROM moves.porter_positions), 1::bigint, 'M3: once a porter');
SELECT pulse.configure('moves', 'location_sample', '1');
SELECT lives_ok($$SELECT pg_temp.emit('pat', 'porter', 'location:update', '[{"latitude":50,"longitude":0,"timestamp":1767323045678}]')$$, 'M3: a time in milliseconds');
SELECT results_eq('SELECT latitude, at FROM moves.porter_track ORDER BY id DESC LIMIT 1', $$VALUES (50::float8, '2026-01-02 03:04:05.678+00'::timestamptz)$$, 'M3: location_sample counts at once');
SELECT pulse.configure('moves', 'location_ttl', '10 min');
SELECT lives_ok($$SELECT pg_temp.emit('pat', 'porter', 'location:update', '[{"latitude":51,"longitude":0,"orderId":"o1"}]')$$, 'M3: for one order');
SELECT is((SELECT expires_at FROM moves.porter_positions), now() + interval '10 min', 'M3: location_ttl counts at once');

SELECT pg_temp.refused('ann', 'customer', 'location:update', '[{"latitude":1,"longitude":1}]', 'PL403', 'sending a location is for porters', 'M2: customers send no locations', '/client');
SELECT pg_temp.refused('adm', 'admin', 'location:update', '[{"latitude":1,"longitude":1}]', 'PL403', 'sending a location is for porters', 'M2: nor do admins', '/admin');
SELECT pg_temp.refused('ann', 'customer', 'location:update', '[{"latitude":1,"longitude":1}]', 'PL403', 'sending a location is for porters', 'M2: whatever the namespace');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":1,"orderId":"o2"}]', 'PL403', 'this order is not yours', 'M2: for no foreign order');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[]', 'PL422', 'what is sent must be a JSON object', 'M3: no argument');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'M3: no latitude');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":90.01,"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'M3: beyond the pole');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1e999,"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'M3: beyond any number');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1e999999,"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'M3: beyond what a numeric holds');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":1,"timestamp":"2026-01-05T10:00:00+99:99"}]', 'PL422', 'timestamp must be a time', 'M3: a time in no zone');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":"1"}]', 'PL422', 'longitude must be a number from -180 to 180', 'M3: a number as text');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":1,"heading":361}]', 'PL422', 'heading must be a number from 0 to 360', 'M3: a heading beyond the circle');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":1,"speed":-1}]', 'PL422', 'speed must be a number from 0 to 1000', 'M3: a negative speed');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":1,"timestamp":"yesterday"}]', 'PL422', 'timestamp must be a time', 'M3: a time that is none');
SELECT pg_temp.refused('pat', 'porter', 'location:update', '[{"latitude":1,"longitude":1,"timestamp":"2026-13-45T10:00:00Z"}]', 'PL422', 'timestamp must be a time', 'M3: a time beyond the calendar');
SELECT is((SELECT latitude FROM moves.porter_positions), 51::float8, 'M3: what is refused changes nothing');

-- what is known
SELECT is(moves.last_position('pat')::jsonb - 'timestamp', '{"porterId":"pat","latitude":51,"longitude":0}', 'M3: the last position');
DELETE FROM moves.porter_positions;
SELECT is(moves.last_position('pat')::jsonb ->> 'porterId', 'pat', 'M3: after a crash of the server the sample stands in');
UPDATE moves.porter_track SET created_at = now() - interval '11 min';
SELECT is(moves.last_position('pat')::text, NULL, 'M3: nothing older than location_ttl');
INSERT INTO moves.porter_positions (porter_id, latitude, longitude, expires_at) VALUES ('old', 1, 1, now());
SELECT is(moves.last_position('old')::text, NULL, 'M3: nothing that has expired, also before it is deleted');
SELECT is(moves.purge()::jsonb ->> 'positions', '1', 'M3: it is deleted soon after');

-- availability
SELECT is((SELECT ack::text FROM pg_temp.emit('pat', 'porter', 'porter:availability', '[{"available":false}]')), '[{"ok":true}]', 'M4: porter:availability is acked');
SELECT results_eq('SELECT user_id, available FROM moves.porters', $$VALUES ('pat' COLLATE "C", false)$$, 'M4: and kept');
SELECT pg_temp.refused('ann', 'customer', 'porter:availability', '[{"available":true}]', 'PL403', 'availability is for porters', 'M2: customers are not available', '/client');

SELECT * FROM finish();
ROLLBACK;
