-- api/internal.sql and api/routes.sql, called through pulse.handle_request as the bridge calls it.
BEGIN;
SELECT plan(32);

CREATE FUNCTION pg_temp.call(context json, method text, path text, body json DEFAULT NULL, query json DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_answer json;
    v_state text;
    v_message text;
BEGIN
    v_answer := pulse.handle_request(method, path, json_build_object('method', method, 'path', path, 'query', query, 'headers', '{"content-type":"application/json"}'::json, 'body', coalesce(body::text, ''), 'ip', '127.0.0.1'), context);
    RETURN concat_ws(' ', v_answer ->> 'status', v_answer ->> 'body');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
    RETURN v_state || ' ' || v_message;
END
$$;
CREATE FUNCTION pg_temp.service(method text, path text, body json DEFAULT NULL) RETURNS text LANGUAGE sql AS
    $$SELECT pg_temp.call('{"internal":true,"internalToken":true}', method, '/internal/realtime/sos' || path, body)$$;
CREATE FUNCTION pg_temp.get(user_id text, claims json, path text, query json DEFAULT '{}') RETURNS text LANGUAGE sql AS
    $$SELECT pg_temp.call(json_build_object('claims', claims, 'userId', user_id), 'GET', '/api/v1/sos' || path, NULL, query)$$;
CREATE FUNCTION pg_temp.body(answer text) RETURNS jsonb LANGUAGE sql AS $$SELECT CASE WHEN answer ~ '^2\d\d ' THEN substr(answer, 5)::jsonb END$$;

-- S4
SELECT is(pg_temp.call('{}', 'POST', '/internal/realtime/sos/init', '{"sosId":"s1","citizenId":"ann"}'), 'PL404 nothing is here', 'S4: nothing of it is on the public listener');
SELECT is(pg_temp.call('{"internal":true}', 'GET', '/internal/realtime/sos/s1/state'), 'PL401 the internal token is missing or wrong', 'S4: 401 without the token');
CREATE TEMPORARY TABLE i AS SELECT pg_temp.service('POST', '/init', '{"sosId":"s1","citizenId":"ann","latitude":19.076,"longitude":72.8777,"details":{"floor":3}}') AS answer;
SELECT is((SELECT left(answer, 3) FROM i), '201', 'S4: init is 201');
SELECT is((SELECT array_agg(k ORDER BY k) FROM i, jsonb_object_keys(pg_temp.body(answer)) k),
    '{citizenId,createdAt,details,expiresAt,lastLocations,latitude,longitude,participants,sosId,status,updatedAt}'::text[], 'S4: the state');
SELECT is((SELECT pg_temp.body(answer) #>> '{participants,0,userId}' || ' ' || (pg_temp.body(answer) #>> '{participants,0,online}') FROM i), 'ann false', 'S4: the citizen takes part, and is not there');
SELECT is(left(pg_temp.service('POST', '/init', '{"sosId":"s1","citizenId":"ann"}'), 3), '200', 'S4: again 200');
SELECT is(pg_temp.service('POST', '/init', '{"sosId":"s1","citizenId":"bob"}'), 'PL409 the case belongs to another citizen', 'S4: not for somebody else');
SELECT is(pg_temp.service('POST', '/init', '{"sosId":"s2"}'), 'PL422 citizenId must be a text of 1 to 255 characters', 'S4: a citizen is needed');
SELECT is(pg_temp.service('POST', '/init'), 'PL422 what is sent must be a JSON object', 'S4: a body is needed');
SELECT is(pg_temp.body(pg_temp.service('POST', '/s1/status', '{"status":"assigned","note":"unit 7","updatedBy":"dee"}')) ->> 'status', 'assigned', 'S4: status');
SELECT is((SELECT payload::jsonb - 'updatedAt' FROM pulse.events WHERE name = 'sos:status:broadcast' ORDER BY id DESC LIMIT 1),
    '{"sosId":"s1","status":"assigned","previousStatus":"open","updatedBy":"dee","role":"system","note":"unit 7"}', 'S4: is told to the room');
SELECT is(pg_temp.service('POST', '/none/status', '{"status":"assigned"}'), 'PL404 there is no case none', 'S4: an unknown case is 404');
SELECT is(pg_temp.service('POST', '/s1/status', '{"status":"lost"}'), 'PL422 status must be one of open, assigned, en_route, on_scene, resolved, closed, cancelled', 'S4: an unknown status is 422');
SELECT is(pg_temp.body(pg_temp.service('GET', '/s1/state')) ->> 'status', 'assigned', 'S4: state');
SELECT is(pg_temp.service('GET', '/none/state'), 'PL404 there is no case none', 'S4: of an unknown case 404');

-- messages and track
INSERT INTO sos.messages (case_id, user_id, message, created_at) SELECT 's1', 'ann', 'm' || n, '2026-01-05 10:00Z'::timestamptz + n * interval '1 s' FROM generate_series(1, 5) n;
INSERT INTO sos.positions (case_id, user_id, latitude, longitude, at) SELECT 's1', 'rex', n, n, '2026-01-05 10:00Z'::timestamptz + n * interval '1 s' FROM generate_series(1, 3) n;
INSERT INTO sos.positions (case_id, user_id, latitude, longitude, at) VALUES ('s1', 'ann', 9, 9, '2026-01-05 11:00Z');
CREATE FUNCTION pg_temp.messages(answer text) RETURNS text LANGUAGE sql AS $$SELECT string_agg(m ->> 'message', ' ') FROM jsonb_array_elements(pg_temp.body(answer) -> 'items') m$$;
CREATE TEMPORARY TABLE p AS SELECT pg_temp.get('ann', '{}', '/s1/messages', '{"limit":"2"}') AS answer;
SELECT is((SELECT pg_temp.messages(answer) FROM p), 'm5 m4', 'S7: messages, the newest first');
SELECT is((SELECT pg_temp.messages(pg_temp.get('ann', '{}', '/s1/messages', json_build_object('limit', '3', 'before', pg_temp.body(answer) ->> 'next'))) FROM p), 'm3 m2 m1', 'S7: next is the page before');
SELECT is(pg_temp.body(pg_temp.get('ann', '{}', '/s1/messages')) -> 'next', 'null', 'S7: at the end there is none');
SELECT is(pg_temp.messages(pg_temp.get('ann', '{}', '/s1/messages', '{"before":"2026-01-05T10:00:03Z"}')), 'm2 m1', 'S7: before a time');
SELECT is(pg_temp.get('ann', '{}', '/s1/messages', '{"before":"x"}'), 'PL422 before must be the id of a message of the case, or a time', 'S7: or neither');
SELECT is(pg_temp.get('ann', '{}', '/s1/messages', '{"limit":"0"}'), 'PL422 limit must be a whole number from 1 to 100', 'S7: a page has messages');
SELECT is(pg_temp.get('bob', '{"role":"citizen"}', '/s1/messages'), 'PL403 this is not your case', 'S2: strangers read no messages');
SELECT is(jsonb_array_length(pg_temp.body(pg_temp.get('ann', '{}', '/s1/track')) -> 'items'), 4, 'S3: the track of everybody');
SELECT is(pg_temp.body(pg_temp.get('dee', '{"role":"dispatcher"}', '/s1/track', '{"userId":"rex","since":"2026-01-05T10:00:02Z"}')) -> 'items',
    '[{"userId":"rex","latitude":3,"longitude":3,"timestamp":"2026-01-05T10:00:03.000Z"}]', 'S3: of one, since a time');
SELECT is(pg_temp.body(pg_temp.get('ann', '{}', '/s1/track', '{"limit":"2"}')) ->> 'next', '2026-01-05T10:00:02.000000Z~' || (SELECT id FROM sos.positions WHERE latitude = 2), 'S3: in pages');
INSERT INTO sos.positions (case_id, user_id, latitude, longitude, at) SELECT 's1', 'twin' || n, 50 + n, 0, '2026-01-05 12:00Z' FROM generate_series(1, 5) n;
WITH RECURSIVE page (body, n) AS (
    SELECT pg_temp.body(pg_temp.get('ann', '{}', '/s1/track', '{"limit":"2","since":"2026-01-05T11:30:00Z"}')), 1 UNION ALL
    SELECT pg_temp.body(pg_temp.get('ann', '{}', '/s1/track', json_build_object('limit', '2', 'since', p.body ->> 'next'))), p.n + 1 FROM page p WHERE p.body ->> 'next' IS NOT NULL AND p.n < 9)
SELECT is((SELECT array_agg(i ->> 'userId' ORDER BY p.n, i ->> 'userId') FROM page p, jsonb_array_elements(p.body -> 'items') i), '{twin1,twin2,twin3,twin4,twin5}'::text[],
    'S3: pages miss none of several positions of one moment');
SELECT is(pg_temp.get('ann', '{}', '/s1/track', '{"since":"2026-01-05T10:00:00Z~x"}'), 'PL422 since must be a time', 'S3: and since is what next was');
SELECT is(pg_temp.get('bob', '{"sosId":"s2"}', '/s1/track'), 'PL403 this is not your case', 'S2: strangers see no track');
SELECT is(pg_temp.get('ann', '{}', '/s1/track', '{"since":"yesterday"}'), 'PL422 since must be a time', 'S3: since is a time');

-- close
SELECT is(pg_temp.body(pg_temp.service('POST', '/s1/close', '{"reason":"safe"}')) ->> 'status', 'closed', 'S4: close');
SELECT is(pg_temp.body(pg_temp.service('POST', '/s1/close')) ->> 'status', 'closed', 'S4: again 200, a body is not needed');
SELECT is(pg_temp.messages(pg_temp.get('ann', '{}', '/s1/messages', '{"limit":"1"}')), 'm5', 'S5: messages of a closed case can be read');

SELECT * FROM finish();
ROLLBACK;
