-- The routes of the pack and the activity stream, called through pulse.handle_request as the bridge calls it.
BEGIN;
SELECT plan(43);

INSERT INTO care.families (id, name) VALUES ('f1', 'Rao'), ('f2', 'Iyer');
INSERT INTO care.members (family_id, user_id) VALUES ('f1', 'ann'), ('f1', 'bob'), ('f2', 'cleo');
INSERT INTO care.care_recipients (id, family_id, name) VALUES ('mom', 'f1', 'Mom');
INSERT INTO care.medications (id, care_recipient_id, name) VALUES ('m1', 'mom', 'Aspirin');
INSERT INTO care.shifts (id, family_id, caregiver_id, starts_at, ends_at) VALUES ('day', 'f1', 'ann', now(), now() + interval '8 h');

CREATE FUNCTION pg_temp.call(user_id text, method text, path text, body json DEFAULT NULL, query json DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_answer json;
    v_state text;
    v_message text;
    v_detail text;
BEGIN
    v_answer := pulse.handle_request(method, '/api/v1/care' || path, json_build_object('method', method, 'path', path, 'query', query, 'headers', '{"content-type":"application/json"}'::json, 'body', coalesce(body::text, ''), 'ip', '127.0.0.1'),
        CASE WHEN user_id IS NULL THEN '{}'::json ELSE json_build_object('claims', '{}'::json, 'userId', user_id) END);
    RETURN concat_ws(' ', coalesce(v_answer ->> 'status', v_answer ->> 'kind'), coalesce(v_answer ->> 'body', v_answer ->> 'rooms'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', v_state, v_message, nullif(v_detail, ''));
END
$$;
CREATE FUNCTION pg_temp.body(answer text) RETURNS jsonb LANGUAGE sql AS $$SELECT CASE WHEN answer ~ '^2\d\d ' THEN substr(answer, 5)::jsonb END$$;

-- F5
CREATE TEMPORARY TABLE d AS SELECT pg_temp.call('ann', 'POST', '/medication-logs', '{"medicationId":"m1","scheduledFor":"2026-01-05T08:00:00Z","note":"with food"}') AS answer;
SELECT is((SELECT left(answer, 3) FROM d), '201', 'F5: a dose is logged');
SELECT is((SELECT pg_temp.body(answer) - 'logId' - 'loggedAt' FROM d),
    '{"medicationId":"m1","careRecipientId":"mom","familyId":"f1","scheduledFor":"2026-01-05T08:00:00.000Z","loggedBy":"ann","note":"with food"}', 'F5: the log');
SELECT matches(pg_temp.call('bob', 'POST', '/medication-logs', '{"medicationId":"m1","scheduledFor":"2026-01-05T08:00:00Z"}'),
    '^PL409 dose already logged .*"loggedBy" ?: ?"ann".*"loggedAt" ?: ?"' || (SELECT pg_temp.body(answer) ->> 'loggedAt' FROM d), 'F5: once; who comes second is told by whom and when');
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'medication:logged'), 1::bigint, 'F5: and the family hears it once');
SELECT is(pg_temp.call('cleo', 'POST', '/medication-logs', '{"medicationId":"m1","scheduledFor":"2026-01-05T20:00:00Z"}'), 'PL403 Not a family member', 'F2: strangers log nothing');
SELECT is(pg_temp.call('ann', 'POST', '/medication-logs', '{"medicationId":"m9","scheduledFor":"2026-01-05T20:00:00Z"}'), 'PL403 Not a family member', 'F2: nor anybody what is not there');
SELECT is(pg_temp.call('ann', 'POST', '/medication-logs', '{"medicationId":"m1"}'), 'PL422 scheduledFor must be a time', 'F5: which dose');
SELECT is(pg_temp.call('ann', 'POST', '/medication-logs', '{"medicationId":"m1","scheduledFor":"8:00"}'), 'PL422 scheduledFor must be a time', 'F5: a time');
SELECT is(pg_temp.call('ann', 'POST', '/medication-logs', '"m1"'), 'PL422 what is sent must be a JSON object', 'F5: an object');
SELECT is(pg_temp.call(NULL, 'POST', '/medication-logs', '{}'), 'PL401 a token is needed {"reason":"missing"}', 'F2: somebody with a token');

-- shifts
SELECT is(pg_temp.call('ann', 'POST', '/shifts/day/end'), 'PL409 the shift has not begun', 'F1: a shift begins before it ends');
SELECT is(pg_temp.call('bob', 'POST', '/shifts/day/start'), 'PL403 this is the shift of somebody else', 'F1: the caregiver starts the own shift');
CREATE TEMPORARY TABLE s AS SELECT pg_temp.call('ann', 'POST', '/shifts/day/start') AS answer;
SELECT ok((SELECT pg_temp.body(answer) ? 'startTime' FROM s), 'F1: start');
SELECT is(pg_temp.call('ann', 'POST', '/shifts/day/start'), (SELECT answer FROM s), 'F1: again the same');
SELECT ok(pg_temp.body(pg_temp.call('ann', 'POST', '/shifts/day/end')) ? 'endTime', 'F1: end');
SELECT is((SELECT string_agg(name, ' ' ORDER BY id) FROM pulse.events WHERE name LIKE 'shift:%'), 'shift:started shift:ended', 'F1: the family hears both, once');
SELECT is(pg_temp.call('cleo', 'POST', '/shifts/day/start'), 'PL403 Not a family member', 'F2: strangers start nothing');

-- alerts
CREATE TEMPORARY TABLE al AS SELECT pg_temp.call('bob', 'POST', '/alerts', '{"careRecipientId":"mom","type":"fall_detected","severity":"critical"}') AS answer;
SELECT is((SELECT left(answer, 3) || (pg_temp.body(answer) - 'alertId' - 'createdAt') FROM al),
    '201{"type": "fall_detected", "familyId": "f1", "severity": "critical", "createdBy": "bob", "careRecipientId": "mom"}', 'F1: an alert is 201');
SELECT is(pg_temp.body(pg_temp.call('ann', 'POST', '/alerts/' || (pg_temp.body(answer) ->> 'alertId') || '/acknowledge')) ->> 'acknowledgedBy', 'ann', 'F1: acknowledge') FROM al;
SELECT is(pg_temp.body(pg_temp.call('bob', 'POST', '/alerts/' || (pg_temp.body(answer) ->> 'alertId') || '/acknowledge')) ->> 'acknowledgedBy', 'ann', 'F1: the first one counts') FROM al;
CREATE TEMPORARY TABLE twice AS SELECT n, pg_temp.call(who, 'POST', '/alerts', '{"careRecipientId":"mom","type":"lost","clientAlertId":"k1"}') AS answer FROM (VALUES (1, 'bob'), (2, 'bob'), (3, 'ann')) t (n, who) ORDER BY n;
SELECT is((SELECT string_agg(left(answer, 3), ' ' ORDER BY n) FROM twice), '201 200 201', 'F1: an alert that is sent again with its clientAlertId is 200');
SELECT is((SELECT string_agg(DISTINCT (pg_temp.body(answer) ->> 'alertId'), ' ') FROM twice WHERE n < 3), (SELECT a.id FROM care.alerts a WHERE a.client_alert_id = 'k1' AND a.created_by = 'bob'), 'F1: and the one there is');
SELECT is((SELECT count(*) FROM pulse.events e WHERE e.name = 'emergency:alert' AND e.payload ->> 'type' = 'lost'), 2::bigint, 'F1: each is told once');
DELETE FROM care.alerts WHERE type = 'lost';
SELECT is(pg_temp.call('bob', 'POST', '/alerts', '{"careRecipientId":"mom","type":"x","severity":"huge"}'), 'PL422 severity must be one of low, medium, high, critical', 'F1: one of four severities');
SELECT is(pg_temp.call('cleo', 'POST', '/alerts', '{"careRecipientId":"mom","type":"x"}'), 'PL403 Not a family member', 'F2: strangers alarm nobody');

-- reads
INSERT INTO care.messages (family_id, user_id, message) SELECT 'f1', 'ann', 'm' || n FROM generate_series(1, 5) n;
CREATE TEMPORARY TABLE p AS SELECT pg_temp.body(pg_temp.call('bob', 'GET', '/families/f1/messages', NULL, '{"limit":"2"}')) AS page;
SELECT is((SELECT string_agg(m ->> 'message', ' ') FROM p, jsonb_array_elements(page -> 'items') m), 'm5 m4', 'F4: messages, the newest first');
SELECT is((SELECT string_agg(m ->> 'message', ' ') FROM p, jsonb_array_elements(pg_temp.body(pg_temp.call('bob', 'GET', '/families/f1/messages', NULL, json_build_object('before', page ->> 'next'))) -> 'items') m),
    'm3 m2 m1', 'F4: and the page before');
SELECT is(pg_temp.call('bob', 'GET', '/me/badge'), '200 {"unread" : 5}', 'F4: the badge');
CREATE TEMPORARY TABLE f AS SELECT pg_temp.body(pg_temp.call('bob', 'GET', '/families/f1/activity')) AS feed;
SELECT is((SELECT string_agg(i ->> 'event', ' ' ORDER BY n) FROM f, jsonb_array_elements(feed -> 'items') WITH ORDINALITY a (i, n)),
    'medication:logged shift:started shift:ended emergency:alert emergency:alert:acknowledged message message message message message', 'F4: what happened, in order');
SELECT is((SELECT jsonb_array_length(pg_temp.body(pg_temp.call('bob', 'GET', '/families/f1/activity', NULL, json_build_object('since', feed ->> 'next'))) -> 'items') FROM f), 0, 'F4: since next nothing');
SELECT is(pg_temp.body(pg_temp.call('bob', 'GET', '/families/f1/stats')) - 'generatedAt' - 'dosesToday' - 'messagesToday',
    '{"familyId":"f1","members":2,"online":0,"careRecipients":1,"openAlerts":0,"activeShifts":0}', 'F4: stats');
SELECT is(pg_temp.call('cleo', 'GET', '/families/f1/' || what), 'PL403 Not a family member', 'F2: strangers read no ' || what) FROM unnest(ARRAY['messages', 'activity', 'stats', 'activity/stream']) what;
SELECT is(pg_temp.call('bob', 'GET', '/families/f1/activity/stream'), 'stream ["family:f1"]', 'F4: the activity stream');

-- the feed
SELECT is(pg_temp.call('cleo', 'GET', '/families/f1/channels'), 'PL403 Not a family member', 'F2: strangers learn no channels');
SELECT is((SELECT array_agg(i ->> 'name' || (i ->> 'isDefault') ORDER BY n) FROM jsonb_array_elements(pg_temp.body(pg_temp.call('ann', 'GET', '/families/f1/channels')) -> 'items') WITH ORDINALITY t (i, n)),
    '{generaltrue}'::text[], 'F2: members do, which typing:start and message:read name');
DELETE FROM care.medication_logs; DELETE FROM care.messages; DELETE FROM care.alerts; UPDATE care.shifts SET started_at = NULL, ended_at = NULL;
INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by, logged_at)
SELECT 'm1', '2026-02-01 00:00Z'::timestamptz + n * interval '1 h', 'ann', CASE WHEN n BETWEEN 3 AND 5 THEN '2026-02-02 03:00Z' ELSE '2026-02-02 00:00Z'::timestamptz + n * interval '1 h' END FROM generate_series(1, 7) n;
CREATE FUNCTION pg_temp.feed(query json) RETURNS jsonb LANGUAGE sql AS $$SELECT pg_temp.body(pg_temp.call('ann', 'GET', '/families/f1/activity', NULL, query))$$;
WITH RECURSIVE page (body, n) AS (
    SELECT pg_temp.feed('{"limit":"3","since":"2026-02-02T00:00:00Z"}'), 1 UNION ALL
    SELECT pg_temp.feed(json_build_object('limit', '3', 'since', p.body ->> 'next')), p.n + 1 FROM page p WHERE jsonb_array_length(p.body -> 'items') > 0 AND p.n < 9)
SELECT is((SELECT array_agg(c ORDER BY n) FROM (SELECT p.n, count(i) FILTER (WHERE i IS NOT NULL) AS c FROM page p LEFT JOIN jsonb_array_elements(p.body -> 'items') i ON true GROUP BY p.n) t), '{5,2,0}'::bigint[],
    'F4: the feed in pages: of several of one moment all come, and none is skipped');
SELECT is((SELECT array_agg(right(i #>> '{data,scheduledFor}', 13) ORDER BY i ->> 'at') FROM jsonb_array_elements(pg_temp.feed('{"limit":"2"}') -> 'items') i), '{06:00:00.000Z,07:00:00.000Z}'::text[], 'F4: without since the newest');
INSERT INTO care.messages (family_id, user_id, message, created_at) SELECT 'f1', 'bob', 'm' || n, '2026-03-01Z'::timestamptz + n * interval '1 s' FROM generate_series(1, 3000) n;
ANALYZE care.messages; ANALYZE care.medication_logs; ANALYZE care.alerts; ANALYZE care.shifts;
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_line text;
    v_plan text := '';
BEGIN
    FOR v_line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || statement LOOP v_plan := v_plan || v_line || E'\n'; END LOOP;
    RETURN v_plan;
END
$$;
SELECT ok((SELECT bool_and(m[1]::int <= 20) FROM regexp_matches(pg_temp.plan_of(format('SELECT * FROM _care.activity(%L, %s, %s) a ORDER BY a.at', 'f1', since, most)), 'rows=(\d+) loops', 'g') m),
    'F4: a page reads no more rows than it may have,' || words) FROM (VALUES ($$_care.newest('f1', 10)$$, '9999', ' the newest'), ($$'2026-03-01Z'$$, '10', ' since a time')) t (since, most, words);
SELECT ok((SELECT bool_and(m[1]::int <= 20) FROM regexp_matches(pg_temp.plan_of($$SELECT _care.newest('f1', 10)$$), 'rows=(\d+) loops', 'g') m), 'F4: nor does the look for the newest');

SELECT * FROM finish();
ROLLBACK;
