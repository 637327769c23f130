-- schema/events.sql: which change is which event, in which rooms, with which payload, on which legacy channel.
BEGIN;
SELECT plan(24);

-- the events since the last call, oldest first
CREATE FUNCTION pg_temp.events() RETURNS TABLE (name text, rooms text[], payload json, channel text, partition_key text) LANGUAGE plpgsql AS $$
DECLARE
    v_seen bigint := coalesce(nullif(current_setting('t.seen', true), ''), '0')::bigint;
BEGIN
    RETURN QUERY SELECT e.name, e.rooms, e.payload, e.channel, e.partition_key FROM pulse.events e WHERE e.id > v_seen ORDER BY e.id;
    PERFORM set_config('t.seen', (SELECT max(e.id)::text FROM pulse.events e), true);
END
$$;
CREATE FUNCTION pg_temp.keys(payload json) RETURNS text LANGUAGE sql AS $$SELECT string_agg(k, ' ') FROM json_object_keys(payload) k$$;
CREATE TEMPORARY TABLE e (name text, rooms text[], payload json, channel text, partition_key text);

INSERT INTO donors.hospitals (id, name, country_code, latitude, longitude) VALUES ('00000000-0000-4000-8000-000000000001', 'H "1"', 'IN', 19, 72);
SELECT is_empty('SELECT * FROM pg_temp.events()', 'D2: a new hospital is no event');
INSERT INTO donors.donors (user_id, name, phone, blood_group, country_code) VALUES ('d1', 'Secret Name', '+99912345678', 'O-', 'IN');
INSERT INTO donors.presence (user_id, latitude, longitude) VALUES ('d1', 19.0660, 72.8777);
SELECT is_empty('SELECT * FROM pg_temp.events()', 'D2: donors and their presence are no events');

-- emergency:created
INSERT INTO donors.blood_requests (id, requester_id, blood_group, urgency, units, latitude, longitude, country_code, notes, created_at)
VALUES ('00000000-0000-4000-8000-00000000000a', 'secret-requester', 'O-', 'critical', 2, 19.0760, 72.8777, 'IN', 'secret note', '2026-01-02 03:04:05.6789+00');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, channel, partition_key FROM e',
    $$VALUES ('emergency:created', 'emergency_created', '00000000-0000-4000-8000-00000000000a')$$, 'D2: an insert is emergency:created, channel emergency_created');
SELECT results_eq('SELECT unnest(rooms) FROM e',
    $$VALUES ('region:IN'), ('emergency:00000000-0000-4000-8000-00000000000a'), ('donors:available')$$, 'D3: in the region, its own room and donors:available');
SELECT is((SELECT payload::jsonb FROM e), '{"emergencyId":"00000000-0000-4000-8000-00000000000a","bloodGroup":"O-","urgency":"critical","units":2,
    "latitude":19.076,"longitude":72.8777,"countryCode":"IN","status":"open","createdAt":"2026-01-02T03:04:05.678Z"}', 'D2: its payload, without absent keys');
SELECT is((SELECT pg_temp.keys(payload) FROM e), 'emergencyId bloodGroup urgency units latitude longitude countryCode status createdAt', 'D2: its keys in their order');
SELECT is((SELECT payload::jsonb FROM e), (SELECT donors.emergency_json(r)::jsonb FROM donors.blood_requests r), 'D2: emergency_json is the same');
TRUNCATE e;
INSERT INTO donors.blood_requests (requester_id, blood_group, latitude, longitude, country_code, hospital_id)
VALUES ('r', 'A+', 19.0760, 72.8777, 'IN', '00000000-0000-4000-8000-000000000001');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT payload ->> 'hospitalId', payload ->> 'hospitalName' FROM e$$, $$VALUES ('00000000-0000-4000-8000-000000000001', 'H "1"')$$,
    'D2: with the hospital when there is one');
SELECT is((SELECT payload::jsonb FROM e), (SELECT donors.emergency_json(r)::jsonb FROM donors.blood_requests r WHERE requester_id = 'r'), 'D2: emergency_json is the same with a hospital');
TRUNCATE e;

-- emergency:status-updated
UPDATE donors.blood_requests SET notes = 'x', units = 3 WHERE requester_id = 'secret-requester';
UPDATE donors.blood_requests SET status = 'open' WHERE requester_id = 'secret-requester';
SELECT is_empty('SELECT * FROM pg_temp.events()', 'D2: an update that leaves the status is no event');
UPDATE donors.blood_requests SET status = 'matched', updated_at = '2026-01-02 04:00+00' WHERE requester_id = 'secret-requester';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, channel FROM e', $$VALUES ('emergency:status-updated', 'emergency_status_update')$$, 'D2: a changed status is emergency:status-updated');
SELECT results_eq('SELECT unnest(rooms) FROM e',
    $$VALUES ('emergency:00000000-0000-4000-8000-00000000000a'), ('emergency:00000000-0000-4000-8000-00000000000a:requester')$$, 'D3: for those who watch it, and the requester');
SELECT is((SELECT payload::jsonb FROM e), '{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"matched","previousStatus":"open",
    "updatedAt":"2026-01-02T04:00:00.000Z"}', 'D2: its payload');
TRUNCATE e;

-- emergency:response
INSERT INTO donors.blood_request_responses (id, request_id, donor_id, status, eta_minutes, message, created_at)
VALUES ('00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000a', 'd1', 'accepted', 15, 'secret message', '2026-01-02 05:00+00');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, channel FROM e', $$VALUES ('emergency:response', 'emergency_response')$$, 'D2: a response is emergency:response');
SELECT results_eq('SELECT unnest(rooms) FROM e',
    $$VALUES ('emergency:00000000-0000-4000-8000-00000000000a'), ('emergency:00000000-0000-4000-8000-00000000000a:requester')$$, 'D3: one event in both rooms');
SELECT is((SELECT payload::jsonb FROM e), '{"emergencyId":"00000000-0000-4000-8000-00000000000a","responseId":"00000000-0000-4000-8000-00000000000b",
    "donorId":"d1","status":"accepted","etaMinutes":15,"distanceKm":1.107,"createdAt":"2026-01-02T05:00:00.000Z"}', 'D2: its payload: the distance, nothing personal');
TRUNCATE e;
UPDATE donors.blood_request_responses SET eta_minutes = 10;
SELECT is_empty('SELECT * FROM pg_temp.events()', 'D2: another time of arrival is no event');
UPDATE donors.blood_request_responses SET status = 'withdrawn';
SELECT results_eq($$SELECT name, payload ->> 'status', payload ->> 'responseId' FROM pg_temp.events()$$,
    $$VALUES ('emergency:response', 'withdrawn', '00000000-0000-4000-8000-00000000000b')$$, 'D2: a corrected answer is told under the same responseId');

-- hospital:status-updated
UPDATE donors.hospitals SET name = 'H2', latitude = 20;
SELECT is_empty('SELECT * FROM pg_temp.events()', 'D2: another name is no event');
UPDATE donors.hospitals SET emergency = true, updated_at = '2026-01-02 06:00+00';
INSERT INTO e SELECT * FROM pg_temp.events();
UPDATE donors.hospitals SET is_active = false;
SELECT results_eq('SELECT name, channel, rooms, payload::jsonb FROM e', $$VALUES ('hospital:status-updated', 'hospital_status_update', ARRAY['region:IN'],
    '{"hospitalId":"00000000-0000-4000-8000-000000000001","name":"H2","emergency":true,"isActive":true,"countryCode":"IN","updatedAt":"2026-01-02T06:00:00.000Z"}'::jsonb)$$,
    'D2: a hospital that takes emergencies is told to the region');
SELECT results_eq($$SELECT name, payload ->> 'isActive' FROM pg_temp.events()$$, $$VALUES ('hospital:status-updated', 'false')$$, 'D2: so is one that is no longer active');
TRUNCATE e;

-- blood_inventory:updated
INSERT INTO donors.blood_inventory (hospital_id, blood_group, units, updated_at) VALUES ('00000000-0000-4000-8000-000000000001', 'O-', 4, '2026-01-02 07:00+00');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, channel, rooms, payload::jsonb FROM e', $$VALUES ('blood_inventory:updated', 'blood_inventory_update',
    ARRAY['region:IN', 'hospital:00000000-0000-4000-8000-000000000001'],
    '{"hospitalId":"00000000-0000-4000-8000-000000000001","bloodGroup":"O-","units":4,"updatedAt":"2026-01-02T07:00:00.000Z"}'::jsonb)$$,
    'D2: new stock is told to the hospital''s region and those who watch the hospital');
UPDATE donors.blood_inventory SET units = 3;
SELECT results_eq($$SELECT name, payload ->> 'units' FROM pg_temp.events()$$, $$VALUES ('blood_inventory:updated', '3')$$, 'D2: so is a changed stock');

SELECT is((SELECT count(*) FROM pg_trigger t
            WHERE t.tgrelid::regclass::text LIKE 'donors.%' AND t.tgfoid = 'pulse.publish_trigger()'::regprocedure), 5::bigint, 'D2: five watches, run by the engine''s trigger function');

SELECT * FROM finish();
ROLLBACK;
