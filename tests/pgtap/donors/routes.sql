-- api/routes.sql, called through pulse.handle_request as the bridge calls it (D9).
BEGIN;
SELECT plan(50);

INSERT INTO donors.donors (user_id, name, phone, blood_group, country_code) VALUES ('d1', 'Asha', '+919876543210', 'O-', 'IN'), ('d2', 'Bilal', NULL, 'AB+', 'IN');
INSERT INTO donors.hospitals (id, name, country_code, latitude, longitude) VALUES ('00000000-0000-4000-8000-000000000001', 'General', 'IN', 19, 72);

CREATE FUNCTION pg_temp.call(user_id text, method text, path text, body json DEFAULT NULL, query json DEFAULT '{}', claims json DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_answer json;
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    v_answer := pulse.handle_request(method, '/api/v1' || path, json_build_object('method', method, 'path', path, 'query', query, 'headers', '{"content-type":"application/json"}'::json, 'body', coalesce(body::text, ''), 'ip', '127.0.0.1'),
        CASE WHEN user_id IS NULL THEN '{}'::json ELSE json_build_object('claims', claims, 'userId', user_id) END);
    RETURN concat_ws(' ', v_answer ->> 'status', v_answer ->> 'body');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN v_state || ' ' || v_message || CASE WHEN v_state = 'PL422' AND v_hint = '' THEN ' (no hint)' ELSE '' END;
END
$$;
CREATE FUNCTION pg_temp.body(answer text) RETURNS jsonb LANGUAGE sql AS $$SELECT CASE WHEN answer ~ '^2\d\d ' THEN substr(answer, 5)::jsonb END$$;
CREATE FUNCTION pg_temp.keys(body jsonb) RETURNS text LANGUAGE sql AS $$SELECT string_agg(k, ',' ORDER BY k COLLATE "C") FROM jsonb_object_keys(body) k$$;

-- presence
CREATE TEMPORARY TABLE p AS SELECT pg_temp.call('d1', 'PATCH', '/donors/me/presence', '{"isAvailable":true,"latitude":19.06,"longitude":72.86}') AS answer;
SELECT is((SELECT pg_temp.body(answer) - 'expiresAt' FROM p), '{"ok":true,"isAvailable":true}', 'D9: PATCH presence answers as the ack of donor:update-presence');
SELECT ok((SELECT pg_temp.body(answer) ->> 'expiresAt' ~ '^\d{4}-\d\d-\d\dT.*Z$' FROM p), 'D9: with the time at which it ends');
SELECT is((SELECT (is_available, latitude, longitude, socket_id)::text FROM donors.presence WHERE user_id = 'd1'), '(t,19.06,72.86,)', 'D9: the presence is kept');
SELECT is(pg_temp.body(pg_temp.call('d1', 'PATCH', '/donors/me/presence', '{"isAvailable":true}')) ->> 'isAvailable', 'true', 'D9: without a position the last one stays');
SELECT is(pg_temp.call('d1', 'PATCH', '/donors/me/presence', '{"isAvailable":false}'), '200 {"ok" : true, "isAvailable" : false, "expiresAt" : null}', 'D9: isAvailable false ends it');
SELECT is((SELECT payload::text FROM pulse.events WHERE name = 'pulse:evict'), '{"room":"donors:available","userId":"d1","reason":"not available"}', 'D9: all sockets of the donor leave donors:available');
SELECT is(pg_temp.call('x', 'PATCH', '/donors/me/presence', '{"isAvailable":true,"latitude":1,"longitude":1}'), 'PL404 you are not registered as a donor', 'D9: of donors alone');
SELECT is(pg_temp.call('d1', 'PATCH', '/donors/me/presence', '{"isAvailable":"yes"}'), 'PL422 isAvailable must be true or false', 'D9: true or false');
SELECT is(pg_temp.call('d1', 'PATCH', '/donors/me/presence', '"yes"'), 'PL422 what is sent must be a JSON object', 'D9: in an object');
SELECT is(pg_temp.call(NULL, 'PATCH', '/donors/me/presence', '{"isAvailable":false}'), 'PL401 a token is needed', 'D9: with a token');
SELECT pg_temp.call('d1', 'PATCH', '/donors/me/presence', '{"isAvailable":true}');

-- a request
CREATE TEMPORARY TABLE r AS SELECT pg_temp.call('ann', 'POST', '/blood-requests',
    '{"bloodGroup":"O-","urgency":"critical","units":2,"latitude":19.07,"longitude":72.87,"countryCode":"IN","hospitalId":"00000000-0000-4000-8000-000000000001","notes":"ward 3"}') AS answer;
SELECT is((SELECT left(answer, 3) FROM r), '201', 'D9: a blood request is 201');
SELECT is((SELECT pg_temp.body(answer) - 'id' - 'createdAt' - 'updatedAt' FROM r),
    '{"bloodGroup":"O-","urgency":"critical","units":2,"latitude":19.07,"longitude":72.87,"radiusKm":25,"countryCode":"IN","status":"open","requesterId":"ann",
      "hospitalId":"00000000-0000-4000-8000-000000000001","hospitalName":"General","notes":"ward 3","nearbyDonors":1}', 'D9: the row, and how many donors are near');
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'emergency:created'), 1::bigint, 'D2: everybody hears of it, as of an INSERT');
CREATE TEMPORARY TABLE twice AS SELECT n, pg_temp.call(who, 'POST', '/blood-requests', '{"bloodGroup":"O-","latitude":19.07,"longitude":72.87,"countryCode":"IN","clientRequestId":"k1"}') AS answer
  FROM (VALUES (1, 'ann'), (2, 'ann'), (3, 'bea')) t (n, who) ORDER BY n;
SELECT is((SELECT string_agg(left(answer, 3), ' ' ORDER BY n) FROM twice), '201 200 201', 'D9: a request that is sent again with its clientRequestId is 200');
SELECT ok((SELECT count(DISTINCT pg_temp.body(answer)) = 1 FROM twice WHERE n < 3) AND (SELECT count(DISTINCT pg_temp.body(answer) ->> 'id') = 2 FROM twice), 'D9: and the one there is; another user''s is another one');
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'emergency:created'), 3::bigint, 'D9: each is told once');
SELECT is(pg_temp.call('ann', 'POST', '/blood-requests', '{"bloodGroup":"O-","latitude":1,"longitude":1,"countryCode":"IN","clientRequestId":7}'), 'PL422 clientRequestId must be a text of 1 to 200 characters', 'D9: it is a text');
DELETE FROM donors.blood_requests WHERE client_request_id = 'k1';
CREATE FUNCTION pg_temp.id() RETURNS text LANGUAGE sql AS $$SELECT pg_temp.body(answer) ->> 'id' FROM r$$;
SELECT is(pg_temp.call('ann', 'POST', '/blood-requests', ('{"bloodGroup":"O-","urgency":"low","latitude":19,"longitude":72,"countryCode":"IN"}'::jsonb || change)::json), 'PL422 ' || message, 'D9: ' || change::text)
  FROM (VALUES ('{"bloodGroup":"C+"}'::jsonb, 'bloodGroup is missing or wrong'), ('{"urgency":"soon"}', 'urgency is missing or wrong'), ('{"units":0}', 'units is missing or wrong'),
               ('{"latitude":null}', 'latitude and longitude are needed'), ('{"latitude":99}', 'latitude must be a number from -90 to 90'), ('{"countryCode":"in"}', 'countryCode is missing or wrong'),
               ('{"radiusKm":0}', 'radiusKm is missing or wrong'), ('{"hospitalId":"00000000-0000-4000-8000-000000000009"}', 'there is no such hospital'), ('{"notes":[]}', 'notes is missing or wrong')) v (change, message);

-- responses and reading
SELECT is(left(pg_temp.call('d1', 'POST', '/blood-requests/' || pg_temp.id() || '/responses', '{"status":"accepted","etaMinutes":15}'), 3), '201', 'D9: a response is 201');
SELECT is(pg_temp.call('ann', 'POST', '/blood-requests/' || pg_temp.id() || '/responses', '{"status":"accepted"}'), 'PL403 only donors respond to emergencies', 'D9: of donors alone');
SELECT pg_temp.call('d2', 'POST', '/blood-requests/' || pg_temp.id() || '/responses', '{"status":"declined"}');
SELECT is((SELECT string_agg(pg_temp.keys(i), ' ' ORDER BY i ->> 'donorId') FROM jsonb_array_elements(pg_temp.body(pg_temp.call('ann', 'GET', '/blood-requests/' || pg_temp.id())) -> 'responses') i),
    'createdAt,distanceKm,donorId,etaMinutes,latitude,longitude,name,phone,responseId,status createdAt,donorId,responseId,status', 'D9: the requester reads who comes and how to reach them, not who does not');
SELECT ok(NOT pg_temp.body(pg_temp.call('d2', 'GET', '/blood-requests/' || pg_temp.id())) ?| ARRAY['responses', 'requesterId'], 'D9: others read the request, not who asked or answered');
SELECT is(pg_temp.call('ann', 'GET', '/blood-requests/00000000-0000-4000-8000-0000000000ff'), 'PL404 there is no emergency 00000000-0000-4000-8000-0000000000ff', 'D9: an unknown one is 404');
SELECT is(pg_temp.call('ann', 'GET', '/blood-requests/7'), 'PL422 the emergency''s id must be a UUID', 'D9: an id that is none is 422');
SELECT is(pg_temp.call('d1', 'PATCH', '/blood-requests/' || pg_temp.id(), '{"status":"cancelled"}'), 'PL403 only the requester changes a request', 'D9: the requester alone changes it');
SELECT is(pg_temp.body(pg_temp.call('ann', 'PATCH', '/blood-requests/' || pg_temp.id(), '{"status":"matched"}')) ->> 'status', 'matched', 'D9: PATCH');
SELECT is(pg_temp.call('ann', 'PATCH', '/blood-requests/' || pg_temp.id(), '{"status":"lost"}'), 'PL422 status is missing or wrong', 'D9: to one of five');
INSERT INTO donors.blood_requests (requester_id, blood_group, latitude, longitude, country_code, created_at)
    SELECT 'bob', 'A+', 52, 13, 'DE', now() + n * interval '1 s' FROM generate_series(1, 3) n;
CREATE TEMPORARY TABLE l AS SELECT pg_temp.body(pg_temp.call('d1', 'GET', '/blood-requests', NULL, '{"countryCode":"DE","status":"open"}')) AS page;
SELECT is((SELECT jsonb_array_length(page -> 'items') || ' ' || (page #> '{items,0}' ? 'requesterId') FROM l), '3 false', 'D9: the list of a country');
SELECT is((SELECT jsonb_array_length(pg_temp.body(pg_temp.call('d1', 'GET', '/blood-requests', NULL, json_build_object('countryCode', 'DE', 'since', page #>> '{items,0,createdAt}'))) -> 'items') FROM l) >= 2, true,
    'D9: since a time');
SELECT is((SELECT pg_temp.body(pg_temp.call('d1', 'GET', '/blood-requests', NULL, json_build_object('since', page ->> 'next'))) -> 'items' FROM l), '[]', 'D9: since next nothing');
SELECT is(pg_temp.call('d1', 'GET', '/blood-requests', NULL, '{"since":"now"}'), 'PL422 since must be a time', 'D9: since is a time');

-- donors nearby and online
SELECT is(pg_temp.call('h', 'GET', '/donors/nearby', NULL, '{"latitude":"19.06","longitude":"72.86","bloodGroup":"AB+"}'), 'PL403 only hospitals look for donors', 'D9: nearby is not for everybody');
SELECT is(pg_temp.body(pg_temp.call('h', 'GET', '/donors/nearby', NULL, '{"latitude":"19.06","longitude":"72.86","bloodGroup":"AB+"}', '{"role":"hospital"}')), '{"items":[{"userId":"d1","bloodGroup":"O-","distanceKm":0.000}]}',
    'D9: hospitals find donors');
SELECT is(pg_temp.call('h', 'GET', '/donors/nearby', NULL, '{"latitude":"91","longitude":"72.86","bloodGroup":"AB+"}', '{"role":"hospital"}'), 'PL422 latitude must be a number from -90 to 90', 'D9: near a place');
SELECT is(pg_temp.body(pg_temp.call('x', 'GET', '/donors/online', NULL, '{"countryCode":"IN"}')), '{"total":1,"byBloodGroup":{"O-":1}}', 'D9: how many are online');
SELECT is(pg_temp.body(pg_temp.call('x', 'GET', '/donors/online', NULL, '{"countryCode":"DE"}')), '{"total":0,"byBloodGroup":{}}', 'D9: none elsewhere');

-- push tokens
SELECT is(left(pg_temp.call(u, 'POST', '/users/me/tokens', '{"token":"a:b-c","tokenType":"fcm","deviceType":"android"}'), 3), '201', 'D9: a token of ' || u) FROM unnest(ARRAY['ann', 'd1']) u;
SELECT is((SELECT string_agg(user_id || ' ' || device_type, ',') FROM donors.device_tokens), 'd1 android', 'D9: who registers a device last has it');
SELECT is(pg_temp.call('ann', 'DELETE', '/users/me/tokens/a:b-c'), 'PL404 you have no such token', 'D9: nobody else deletes it');
SELECT is(pg_temp.call('d1', 'DELETE', '/users/me/tokens/a:b-c'), '204', 'D9: 204 without a body');
SELECT is(pg_temp.call('d1', 'POST', '/users/me/tokens', '{"token":"a","tokenType":"apns","deviceType":"ios"}'), 'PL422 tokenType is missing or wrong', 'D9: fcm alone');

SELECT * FROM finish();
ROLLBACK;
