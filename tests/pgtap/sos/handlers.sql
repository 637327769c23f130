-- api/handlers.sql, api/location.sql, api/webrtc.sql, called through pulse.handle as the bridge calls them.
BEGIN;
SELECT plan(66);

CREATE FUNCTION pg_temp.emit(user_id text, claims json, event text, args json) RETURNS TABLE (ack jsonb, effects text) LANGUAGE sql AS $$
    SELECT h.ack::jsonb -> 0, h.effects::text FROM pulse.handle('/', event, args,
        json_build_object('claims', claims, 'userId', user_id, 'sessionId', 's-' || user_id, 'socketId', 'k1', 'namespace', '/')) h
$$;
CREATE FUNCTION pg_temp.ann(event text, args json) RETURNS jsonb LANGUAGE sql AS $$SELECT ack FROM pg_temp.emit('ann', '{"sosId":"s1","role":"citizen"}', event, args)$$;
CREATE FUNCTION pg_temp.rex(event text, args json) RETURNS jsonb LANGUAGE sql AS $$SELECT ack FROM pg_temp.emit('rex', '{"sosId":"s1","role":"rescuer"}', event, args)$$;
CREATE FUNCTION pg_temp.refusal(user_id text, claims json, event text, args json) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
BEGIN
    PERFORM pg_temp.emit(user_id, claims, event, args);
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
    RETURN v_state || ' ' || v_message;
END
$$;
CREATE FUNCTION pg_temp.last(event text) RETURNS jsonb LANGUAGE sql AS
    $$SELECT e.payload::jsonb FROM pulse.events e WHERE e.name = event ORDER BY e.id DESC LIMIT 1$$;
CREATE FUNCTION pg_temp.told(event text) RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM pulse.events e WHERE e.name = event$$;

-- sos:init
SELECT is(pg_temp.refusal('ann', '{"role":"citizen"}', 'sos:init', '[{"sosId":"s1"}]'), 'PL403 this is not your case', 'S1: sos:init needs a token for the case');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'sos:init', '[{"sosId":"s1"}]'), 'PL404 there is no case s1', 'S1: a rescuer opens none');
SELECT is(pg_temp.refusal(NULL, '{}', 'sos:init', '[{"sosId":"s1"}]'), 'PL401 this needs a user', 'S1: nor does nobody');
SELECT is(pg_temp.refusal('ann', '{"sosId":"s1"}', 'sos:init', '["s1"]'), 'PL422 what is sent must be a JSON object', 'S1: the argument is an object');
SELECT is(pg_temp.refusal('ann', '{"sosId":"s1"}', 'sos:init', '[{"latitude":91,"longitude":0}]'), 'PL422 latitude must be a number from -90 to 90', 'S1: a position is one');
SELECT is(pg_temp.refusal('ann', '{}', 'sos:init', '[{}]'), 'PL422 sosId must be the id of a case', 'S1: a case is needed');

CREATE TEMPORARY TABLE a AS SELECT * FROM pg_temp.emit('ann', '{"sosId":"s1","role":"citizen"}', 'sos:init', '[{"sosId":"s1","latitude":19.076,"longitude":72.8777,"details":{"floor":3}}]');
SELECT is((SELECT ack -> 'ok' FROM a), 'true', 'S1: sos:init is acked');
SELECT is((SELECT (ack -> 'state') - 'createdAt' - 'updatedAt' - 'expiresAt' - 'participants' FROM a),
    '{"sosId":"s1","status":"open","citizenId":"ann","latitude":19.076,"longitude":72.8777,"details":{"floor":3},"lastLocations":[]}', 'S1: with the state');
SELECT is((SELECT array_agg(k ORDER BY k) FROM a, jsonb_array_elements(ack #> '{state,participants}') p, jsonb_object_keys(p) k), '{lastSeen,online,role,userId}'::text[],
    'S4: participants are {userId, role, online, lastSeen}');
SELECT is((SELECT effects::jsonb #>> '{0,join}' || ' ' || (effects::jsonb #>> '{1,track,room}') || ' ' || (effects::jsonb #>> '{1,track,ttl}') FROM a), 'sos:s1 sos:s1 3600000',
    'S5: it comes into the room, and is present there for an hour of silence');
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt', '{"sosId":"s1","status":"open","previousStatus":null,"updatedBy":"ann","role":"citizen"}', 'S1: and told');
SELECT is(pg_temp.ann('sos:init', '[{"sosId":"s1"}]') #>> '{state,status}', 'open', 'S1: again gives the state');
SELECT is(pg_temp.told('sos:status:broadcast'), 1::bigint, 'S1: and tells nothing');
SELECT is(pg_temp.rex('sos:init', '[{"sosId":"s1"}]') #>> '{state,citizenId}', 'ann', 'S1: now the rescuer comes in by sos:init too');
SELECT is(pg_temp.refusal('bob', '{"sosId":"s2","role":"citizen"}', 'sos:init', '[{"sosId":"s1"}]'), 'PL403 this is not your case', 'S2: a citizen with another case does not');

-- sos:status:update
SELECT is(pg_temp.rex('sos:status:update', '[{"sosId":"s1","status":"en_route","note":"5 min"}]') #>> '{state,status}', 'en_route', 'S1: sos:status:update gives the state');
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt',
    '{"sosId":"s1","status":"en_route","previousStatus":"open","updatedBy":"rex","role":"rescuer","note":"5 min"}', 'S1: and is broadcast');
SELECT is(pg_temp.rex('sos:status:update', '[{"status":"en_route"}]') -> 'ok', 'true', 'S1: the same status again is fine, and the sosId of the token will do');
SELECT is(pg_temp.told('sos:status:broadcast'), 2::bigint, 'S1: and tells nothing');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'sos:status:update', '[{"sosId":"s1","status":"lost"}]'), 'PL422 status must be one of open, assigned, en_route, on_scene, resolved, closed, cancelled', 'S1: a status is one of seven');
SELECT is(pg_temp.refusal('bob', '{"role":"citizen"}', 'sos:status:update', '[{"sosId":"s1","status":"open"}]'), 'PL403 this is not your case', 'S2: not for others');
SELECT is(pg_temp.refusal('bob', '{"role":"citizen"}', 'sos:status:update', '[{"sosId":"none","status":"open"}]'), 'PL403 this is not your case',
    'S2: who has nothing to do with a case is not told whether there is one');

-- message:send
CREATE TEMPORARY TABLE m AS SELECT pg_temp.rex('message:send', '[{"sosId":"s1","message":"on my way","clientMessageId":"c1"}]') AS ack;
SELECT is((SELECT ack FROM m), (SELECT jsonb_build_object('ok', true, 'messageId', id) FROM sos.messages), 'S7: message:send is acked with the messageId');
SELECT is(pg_temp.rex('message:send', '[{"sosId":"s1","message":"on my way","clientMessageId":"c1"}]'), (SELECT ack FROM m), 'S7: sent again it is the same');
SELECT is(pg_temp.last('message:broadcast') - 'createdAt', (SELECT jsonb_build_object('sosId', 's1', 'messageId', id, 'from', 'rex', 'role', 'rescuer', 'message', 'on my way') FROM sos.messages),
    'S1: message:broadcast');
SELECT is(pg_temp.told('message:broadcast'), 1::bigint, 'S7: once');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'message:send', '[{"sosId":"s1","message":""}]'), 'PL422 message must be a text of 1 to 4000 characters', 'S7: a message says something');
SELECT is(pg_temp.refusal('bob', '{"role":"citizen"}', 'message:send', '[{"sosId":"s1","message":"x"}]'), 'PL403 this is not your case', 'S2: strangers say nothing');

-- location:update, one in an hour
SELECT pulse.configure('sos', 'location_interval', '1 hour');
SELECT is(pg_temp.rex('location:update', '[{"latitude":19.01,"longitude":72.8,"heading":-1,"timestamp":"2026-01-05T10:00:00.5+05:30"}]'), '{"ok":true,"throttled":false}',
    'S3: the first position goes out at once');
SELECT is(pg_temp.rex('location:update', '[{"sosId":"s1","latitude":19.02,"longitude":72.8}]'), '{"ok":true,"throttled":true}', 'S3: the next one waits');
SELECT ok((SELECT broadcast_at > clock_timestamp() FROM sos.participants WHERE user_id = 'rex'), 'S3: for the end of the interval');
CREATE TEMPORARY TABLE due AS SELECT broadcast_at FROM sos.participants WHERE user_id = 'rex';
SELECT pg_temp.rex('location:update', '[{"latitude":19.03,"longitude":72.8}]');
SELECT is((SELECT broadcast_at FROM sos.participants WHERE user_id = 'rex'), (SELECT broadcast_at FROM due), 'S3: one more takes its place and moves nothing');
SELECT is((SELECT (latitude, located)::text FROM sos.participants WHERE user_id = 'rex'), '(19.03,3)', 'S3: the newest is the last position');
SELECT is((sos.state('s1') -> 'lastLocations')::jsonb #>> '{0,latitude}', '19.03', 'S4: the state has it');
UPDATE sos.participants SET broadcast_at = clock_timestamp() - interval '40 min' WHERE user_id = 'rex';   -- the waiting one has gone out
SELECT is(pg_temp.rex('location:update', '[{"latitude":19.04,"longitude":72.8}]') -> 'throttled', 'true', 'S3: after it another interval runs');
UPDATE sos.participants SET broadcast_at = clock_timestamp() - interval '61 min' WHERE user_id = 'rex';
SELECT is(pg_temp.rex('location:update', '[{"latitude":19.05,"longitude":72.8}]') -> 'throttled', 'false', 'S3: then the next one goes out at once');
SELECT pg_temp.rex('location:update', '[{"latitude":19.06,"longitude":72.8}]') FROM generate_series(6, 21);
SELECT results_eq('SELECT latitude FROM sos.positions ORDER BY id', ARRAY[19.01, 19.06, 19.06]::double precision[], 'S3: of ten positions one is kept, the first among them');
SELECT is((SELECT at FROM sos.positions ORDER BY id LIMIT 1), '2026-01-05 04:30:00.5+00', 'S3: with the time that the client said');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'location:update', '[{"latitude":19}]'), 'PL422 longitude must be a number from -180 to 180', 'S3: half a position is none');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'location:update', '[{"latitude":1,"longitude":1,"timestamp":"2026-02-30T00:00:00Z"}]'),
    'PL422 timestamp must be a time', 'S3: the 30th of February is no time');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'location:update', '[{"latitude":1,"longitude":1,"speed":"fast"}]'),
    'PL422 speed must be a number from -1 to 100000', 'S3: speed is a number');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'location:update', args::json), 'PL422 ' || message, 'S3: ' || what)
  FROM (VALUES ('[{"latitude":1e999999,"longitude":1}]', 'latitude must be a number from -90 to 90', 'no number can hold it'), ('[{"latitude":1e-999,"longitude":1}]', 'latitude must be a number from -90 to 90', 'nor that'),
               ('[{"latitude":1,"longitude":1,"timestamp":"2026-01-05T10:00:00+99:99"}]', 'timestamp must be a time', 'no such zone')) v (args, message, what);
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'message:send', '[{"message":"a\u0000b"}]'), 'PL400 a text has \u0000 or half of a surrogate pair, which PostgreSQL cannot hold',
    'S1: a text that cannot be kept is the client''s fault');
SELECT is(pg_temp.refusal('bob', '{}', 'location:update', '[{"sosId":"s1","latitude":1,"longitude":1}]'), 'PL403 this is not your case', 'S2: strangers are nowhere');
SELECT is(pg_temp.told('location:broadcast'), 0::bigint, 'S3: no position is in the log of events');

-- webrtc
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'webrtc:offer', '[{"sosId":"s1","to":"ann","sdp":"v=0"}]'),
    'PL403 both must be in the room of the case', 'S7: signals go from room to room, and nobody is there');
SELECT is(pg_temp.refusal('rex', '{"sosId":"s1","role":"rescuer"}', 'webrtc:candidate', '[{"sosId":"s1","to":"ann"}]'), 'PL422 candidate must be there', 'S7: a signal has its part');

-- sos:close
SELECT is(pg_temp.refusal('bob', '{}', 'sos:close', '[{"sosId":"s1"}]'), 'PL403 this is not your case', 'S2: strangers close nothing');
SELECT is(pg_temp.ann('sos:close', '[{"sosId":"s1","reason":"safe"}]'), '{"ok":true}', 'S1: sos:close');
SELECT is(pg_temp.ann('sos:close', '[{"sosId":"s1"}]'), '{"ok":true}', 'S1: again');
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt',
    '{"sosId":"s1","status":"closed","previousStatus":"en_route","updatedBy":"ann","role":"citizen","note":"safe"}', 'S1: the room hears it, once');
SELECT is(pg_temp.refusal('ann', '{"sosId":"s1"}', event, args::json), 'PL409 the case is closed', 'S5: then no ' || event)
  FROM (VALUES ('sos:init', '[{"sosId":"s1"}]'), ('sos:status:update', '[{"status":"open"}]'), ('message:send', '[{"message":"x"}]'), ('location:update', '[{"latitude":1,"longitude":1}]')) v (event, args);

-- a new case under the id of an expired one
UPDATE sos.cases SET expires_at = now() - interval '1 s';
SELECT is(pg_temp.refusal('ann', '{"sosId":"s1"}', 'sos:close', '[{}]'), 'PL404 there is no case s1', 'S5: an expired case is not there');
INSERT INTO sos.participants (case_id, user_id) VALUES ('s1', 'guest');
SELECT is(pg_temp.refusal('guest', '{"role":"citizen"}', 'sos:init', '[{"sosId":"s1"}]'), 'PL404 there is no case s1', 'S2: whom its table let in does not open it anew');
SELECT is(pg_temp.ann('sos:init', '[{"sosId":"s1"}]') #> '{state,lastLocations}', '[]', 'S5: its id can be opened again, empty');
SELECT is((SELECT count(*) FROM sos.cases WHERE id LIKE 's1%') || ' ' || (SELECT count(*) FROM sos.messages WHERE case_id = 's1'), '2 0', 'S5: the rows of the old one stay under another id');

-- a case whose id fills its bytes, and what another way in already knew
SELECT is((SELECT ack -> 'ok' FROM pg_temp.emit('ann', json_build_object('sosId', repeat('é', 100)), 'sos:init', '[{}]')), 'true', 'S5: the longest id');
UPDATE sos.cases SET expires_at = now() - interval '1 s' WHERE id = repeat('é', 100);
SELECT is((SELECT ack #>> '{state,status}' FROM pg_temp.emit('ann', json_build_object('sosId', repeat('é', 100)), 'sos:init', '[{}]')), 'open', 'S5: can be opened again like any other');
SELECT is(pg_temp.last('pulse:evict') ->> 'reason', 'expired', 'S5: who was in the room of the old one is put out');
INSERT INTO sos.cases (id, citizen_id, details) VALUES ('known', 'ann', '{"by":"phone"}');
SELECT is((SELECT (ack -> 'state') - 'participants' - 'createdAt' - 'updatedAt' - 'expiresAt' - 'lastLocations' - 'status' - 'citizenId'
             FROM pg_temp.emit('ann', '{"sosId":"known"}', 'sos:init', '[{"latitude":1,"longitude":2,"details":{"by":"app"}}]')),
    '{"sosId":"known","latitude":1,"longitude":2,"details":{"by":"phone"}}', 'S1: the citizen tells what the service did not know, and no more');
SELECT is((SELECT ack #> '{state,latitude}' FROM pg_temp.emit('bob', '{"sosId":"known"}', 'sos:init', '[{"latitude":9,"longitude":9}]')), '1', 'S1: what is known stays');

SELECT * FROM finish();
ROLLBACK;
