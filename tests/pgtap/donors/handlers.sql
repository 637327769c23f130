-- api/handlers.sql, called through pulse.handle as the bridge calls it.
BEGIN;
SELECT plan(48);

INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN'), ('d2', 'A+', 'IN');
INSERT INTO donors.blood_requests (id, requester_id, blood_group, latitude, longitude, country_code)
VALUES ('00000000-0000-4000-8000-00000000000a', 'r1', 'O-', 19.0760, 72.8777, 'IN');

CREATE FUNCTION pg_temp.emit(user_id text, event text, args json) RETURNS TABLE (ack json, effects json) LANGUAGE sql AS $$
    SELECT h.ack, h.effects FROM pulse.handle('/', event, args,
        json_build_object('claims', '{}'::json, 'userId', user_id, 'sessionId', 's1', 'socketId', 'socket-1', 'namespace', '/')) h
$$;
CREATE FUNCTION pg_temp.refused(user_id text, event text, args json, state text, message text, description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    PERFORM pg_temp.emit(user_id, event, args);
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || ' ' || v_message || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state || ' ' || message, description);
END
$$;
CREATE TEMPORARY TABLE a (ack jsonb, effects jsonb);

-- donor:update-presence
INSERT INTO a SELECT * FROM pg_temp.emit('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":19.06,"longitude":72.86}]');
SELECT is((SELECT ack -> 0 ->> 'ok' FROM a), 'true', 'D4: donor:update-presence is acked');
SELECT is((SELECT array_agg(k ORDER BY k) FROM a, jsonb_object_keys(ack -> 0) k), '{expiresAt,isAvailable,ok}'::text[], 'D4: the ack is {ok, isAvailable, expiresAt}');
SELECT is((SELECT ack -> 0 ->> 'expiresAt' FROM a), to_char((now() + interval '30 min') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'D4: expiresAt is 30 min ahead, ISO 8601 in UTC with milliseconds');
SELECT is((SELECT effects FROM a), '[{"join":"donors:available"}]', 'D3: becoming available joins donors:available');
SELECT results_eq('SELECT user_id, is_available, latitude, longitude, country_code, blood_group, socket_id FROM donors.presence',
    $$VALUES ('d1' COLLATE "C", true, 19.06::float8, 72.86::float8, 'IN', 'O-', 'socket-1')$$, 'D5: the presence of the donor');
SELECT is((SELECT user_id FROM donors.nearby(19.0760, 72.8777, 25, 'O-')), 'd1', 'D6: the donor is found');
SELECT is((SELECT ack -> 0 ->> 'isAvailable' FROM pg_temp.emit('d1', 'donor:update-presence', '[{"isAvailable":true}]')), 'true', 'D4: without a position the last one stays');
SELECT is((SELECT (latitude, longitude)::text FROM donors.presence), '(19.06,72.86)', 'D5: it stayed');
SELECT lives_ok($$SELECT pg_temp.emit('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":19.07,"longitude":72.87,"countryCode":"DE","bloodGroup":"AB+"}]')$$,
    'D4: a foreign country or group is ignored');
SELECT is((SELECT (latitude, longitude, country_code, blood_group)::text FROM donors.presence), '(19.07,72.87,IN,O-)', 'D5: moved, same country and group');
TRUNCATE a;
INSERT INTO a SELECT * FROM pg_temp.emit('d1', 'donor:update-presence', '[{"isAvailable":false}]');
SELECT is((SELECT ack -> 0 FROM a), '{"ok":true,"isAvailable":false,"expiresAt":null}', 'D4: isAvailable false expires never');
SELECT is((SELECT effects FROM a), '[{"leave":"donors:available"}]', 'D3: it leaves donors:available');
SELECT is_empty($$SELECT * FROM donors.nearby(19.0760, 72.8777, 25, 'O-')$$, 'D5: it ends availability at once');
SELECT lives_ok($$SELECT pg_temp.emit('d2', 'donor:update-presence', '[{"isAvailable":false}]')$$, 'D5: not available needs no position');
SELECT pg_temp.refused('d2', 'donor:update-presence', '[{"isAvailable":true}]', 'PL422', 'latitude and longitude are needed to become available', 'D4: available without any position');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[]', 'PL422', 'what is sent must be a JSON object', 'D4: no argument');
SELECT pg_temp.refused('d1', 'donor:update-presence', '["x"]', 'PL422', 'what is sent must be a JSON object', 'D4: a string');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":1e999999,"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'D4: a number that nothing can hold');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[null]', 'PL422', 'what is sent must be a JSON object', 'D4: null');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"latitude":1,"longitude":1}]', 'PL422', 'isAvailable must be true or false', 'D4: isAvailable is missing');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"isAvailable":"true"}]', 'PL422', 'isAvailable must be true or false', 'D4: isAvailable is a string');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":90.5,"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'D4: beyond the pole');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":1e400,"longitude":1}]', 'PL422', 'latitude must be a number from -90 to 90', 'D4: beyond any number');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":1,"longitude":"72"}]', 'PL422', 'longitude must be a number from -180 to 180', 'D4: a position as text');
SELECT pg_temp.refused('d1', 'donor:update-presence', '[{"isAvailable":true,"latitude":1}]', 'PL422', 'latitude and longitude go together', 'D4: half a position');
SELECT pg_temp.refused('x', 'donor:update-presence', '[{"isAvailable":true,"latitude":1,"longitude":1}]', 'PL404', 'you are not registered as a donor', 'D4: no donor');
SELECT pg_temp.refused(NULL, 'donor:update-presence', '[{"isAvailable":true,"latitude":1,"longitude":1}]', 'PL401', 'this needs a user', 'D4: nobody');

-- emergency:join, emergency:leave
TRUNCATE a;
INSERT INTO a SELECT * FROM pg_temp.emit('d1', 'emergency:join', '["00000000-0000-4000-8000-00000000000a"]');
SELECT is((SELECT ack FROM a), (SELECT jsonb_build_array(jsonb_build_object('ok', true, 'emergency', donors.emergency_json(r))) FROM donors.blood_requests r),
    'D4: emergency:join with a bare id is acked with the emergency');
SELECT is((SELECT effects FROM a), '[{"join":"emergency:00000000-0000-4000-8000-00000000000a"}]', 'D3: a donor joins emergency:{id} alone');
SELECT is((SELECT effects::jsonb FROM pg_temp.emit('r1', 'emergency:join', '[{"emergencyId":"00000000-0000-4000-8000-00000000000A"}]')),
    '[{"join":"emergency:00000000-0000-4000-8000-00000000000a"},{"join":"emergency:00000000-0000-4000-8000-00000000000a:requester"}]',
    'D3: the requester joins both rooms; an object, and capitals, do too');
SELECT is((SELECT effects::jsonb FROM pg_temp.emit('r1', 'emergency:leave', '["00000000-0000-4000-8000-00000000000a"]')),
    '[{"leave":"emergency:00000000-0000-4000-8000-00000000000a"},{"leave":"emergency:00000000-0000-4000-8000-00000000000a:requester"}]', 'D4: emergency:leave leaves both');
SELECT is((SELECT ack -> 0 ->> 'ok' FROM pg_temp.emit('d1', 'emergency:leave', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a"}]')), 'true', 'D4: emergency:leave is acked');
SELECT pg_temp.refused('d1', 'emergency:join', '["nonsense"]', 'PL422', 'the emergency''s id must be a UUID', 'D4: an id that is none');
SELECT pg_temp.refused('d1', 'emergency:join', '[]', 'PL422', 'the emergency''s id must be a UUID', 'D4: no id');
SELECT pg_temp.refused('d1', 'emergency:join', '[["00000000-0000-4000-8000-00000000000a"]]', 'PL422', 'the emergency''s id must be a UUID', 'D4: an id in an array');
SELECT pg_temp.refused('d1', 'emergency:join', '["00000000-0000-4000-8000-0000000000ff"]', 'PL404', 'there is no emergency 00000000-0000-4000-8000-0000000000ff', 'D4: no such emergency');
SELECT pg_temp.refused(NULL, 'emergency:join', '["00000000-0000-4000-8000-00000000000a"]', 'PL401', 'this needs a user', 'D4: nobody joins');

-- emergency:respond
TRUNCATE a;
INSERT INTO a SELECT * FROM pg_temp.emit('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted","etaMinutes":15,"message":"on my way"}]');
SELECT results_eq($$SELECT ack FROM a$$, $$SELECT jsonb_build_array(jsonb_build_object('ok', true, 'responseId', id)) FROM donors.blood_request_responses$$,
    'D4: emergency:respond is acked with the responseId');
SELECT results_eq('SELECT donor_id, status, eta_minutes, message FROM donors.blood_request_responses', $$VALUES ('d1' COLLATE "C", 'accepted', 15, 'on my way')$$, 'D4: the response is kept');
SELECT is((SELECT ack::jsonb FROM pg_temp.emit('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted","etaMinutes":15,"message":"on my way"}]')),
    (SELECT ack FROM a), 'D4: twice: the same responseId');
SELECT is((SELECT ack::jsonb FROM pg_temp.emit('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"declined"}]')),
    (SELECT ack FROM a), 'D4: corrected: the same responseId');
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'emergency:response' AND payload ->> 'donorId' = 'd1'), 2::bigint, 'D2: told once for each of the two answers');
UPDATE donors.blood_request_responses SET status = 'arrived';
SELECT pg_temp.emit('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted"}]');
SELECT is((SELECT status FROM donors.blood_request_responses), 'arrived', 'D4: a late answer does not undo an arrival');
SELECT pg_temp.refused('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"arrived"}]', 'PL422', 'status must be accepted or declined', 'D4: another status');
SELECT pg_temp.refused('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted","etaMinutes":-5}]', 'PL422',
    'etaMinutes must be a whole number from 0 to 9999', 'D4: a time of arrival in the past');
SELECT pg_temp.refused('d1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted","message":7}]', 'PL422',
    'message must be a text of at most 1000 characters', 'D4: a message that is no text');
SELECT pg_temp.refused('r1', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted"}]', 'PL403', 'only donors respond to emergencies', 'D4: only donors respond');
UPDATE donors.blood_requests SET status = 'cancelled';
SELECT pg_temp.refused('d2', 'emergency:respond', '[{"emergencyId":"00000000-0000-4000-8000-00000000000a","status":"accepted"}]', 'PL409', 'the emergency is cancelled', 'D4: too late');

SELECT * FROM finish();
ROLLBACK;
