-- Plain SQL is the API: what rows complete, refuse and tell by themselves.
BEGIN;
SELECT plan(40);

CREATE FUNCTION pg_temp.last(event text) RETURNS jsonb LANGUAGE sql AS
    $$SELECT e.payload::jsonb FROM pulse.events e WHERE e.name = event ORDER BY e.id DESC LIMIT 1$$;
CREATE FUNCTION pg_temp.rooms(event text) RETURNS text LANGUAGE sql AS
    $$SELECT e.rooms::text FROM pulse.events e WHERE e.name = event ORDER BY e.id DESC LIMIT 1$$;
CREATE FUNCTION pg_temp.told(event text) RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM pulse.events e WHERE e.name = event$$;

INSERT INTO care.families (id, name) VALUES ('f1', 'Rao'), ('f:2', 'Iyer');
INSERT INTO care.members (family_id, user_id) VALUES ('f1', 'ann'), ('f1', 'bob'), ('f1', 'gone'), ('f:2', 'ann'), ('f:2', 'cleo');
UPDATE care.members SET left_at = now() WHERE user_id = 'gone';
SELECT is(pg_temp.last('pulse:evict'), '{"room":"family:f1","userId":"gone","reason":"no member any more"}', 'F1: who leaves a family is put out of its room');
SELECT is((SELECT array_agg(family_id || ' ' || name ORDER BY family_id) FROM care.channels WHERE is_default), '{"f1 general","f:2 general"}'::text[], 'F1: each family has a channel');
DELETE FROM care.members WHERE user_id = 'gone';
SELECT is(pg_temp.told('pulse:evict'), 1::bigint, 'F1: once');
UPDATE care.members SET user_id = 'dora' WHERE user_id = 'cleo';
SELECT is(pg_temp.last('pulse:evict') ->> 'userId', 'cleo', 'F1: whose row becomes somebody else''s, too');
SELECT is(pg_temp.last('pulse:evict') ->> 'room', 'family:f%3A2', 'F1: an id with a colon is one part of the room''s name');

INSERT INTO care.care_recipients (id, family_id, name) VALUES ('mom', 'f1', 'Mom'), ('dad', 'f:2', 'Dad');
INSERT INTO care.medications (id, care_recipient_id, name, dose, schedule) VALUES ('m1', 'mom', 'Aspirin', '100 mg', '8:00');

-- medication
INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by) VALUES ('m1', '2026-01-05 08:00Z', 'ann');
SELECT is(pg_temp.last('medication:logged'), (SELECT jsonb_build_object('medicationId', 'm1', 'careRecipientId', 'mom', 'loggedBy', 'ann', 'logId', id, 'scheduledFor', '2026-01-05T08:00:00.000Z',
    'timestamp', to_char(logged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) FROM care.medication_logs), 'F1: a logged dose is told');
SELECT is(pg_temp.rooms('medication:logged'), '{family:f1}', 'F1: to the family of the care recipient');
SELECT throws_ok($$INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by) VALUES ('m1', '2026-01-05 13:30+05:30', 'bob')$$, '23505', NULL, 'F5: the same dose is refused, in whatever zone');
SELECT throws_ok($$INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by) VALUES ('m9', '2026-01-05 08:00Z', 'ann')$$, '23503', 'medication m9 does not exist', 'F1: a dose of nothing');
SELECT is(pg_temp.told('medication:logged'), 1::bigint, 'F5: it is told once');
SELECT lives_ok($$INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by) VALUES ('m1', '2026-01-05 20:00Z', 'bob')$$, 'F1: the next dose');

-- shifts
INSERT INTO care.shifts (id, family_id, caregiver_id, starts_at, ends_at) VALUES ('day', 'f1', 'ann', '2026-01-05 08:00Z', '2026-01-05 16:00Z');
SELECT is(pg_temp.told('shift:started'), 0::bigint, 'F1: a planned shift has not begun');
SELECT throws_ok($$INSERT INTO care.shifts (family_id, caregiver_id, starts_at, ends_at) VALUES ('f:2', 'ann', '2026-01-05 15:00Z', '2026-01-05 18:00Z')$$, '23P01', NULL,
    'F1: shifts of one caregiver do not overlap, in whatever family');
SELECT lives_ok($$INSERT INTO care.shifts (family_id, caregiver_id, starts_at, ends_at) VALUES ('f1', 'ann', '2026-01-05 16:00Z', '2026-01-05 20:00Z')$$, 'F1: one begins when the other ends');
SELECT lives_ok($$INSERT INTO care.shifts (family_id, caregiver_id, starts_at, ends_at) VALUES ('f1', 'an', '2026-01-05 08:00Z', '2026-01-05 16:00Z'), ('f1', 'anna', '2026-01-05 08:00Z', '2026-01-05 16:00Z')$$,
    'F1: those of others do, also of names like it');
SELECT throws_ok($$INSERT INTO care.shifts (family_id, caregiver_id, starts_at, ends_at) VALUES ('f1', 'bob', '2026-01-05 16:00Z', '2026-01-05 16:00Z')$$, '23514', NULL, 'F1: a shift takes time');
UPDATE care.shifts SET started_at = '2026-01-05 08:03Z' WHERE id = 'day';
SELECT is(pg_temp.last('shift:started'), '{"shiftId":"day","caregiverId":"ann","startTime":"2026-01-05T08:03:00.000Z"}', 'F1: a started shift is told');
UPDATE care.shifts SET ended_at = '2026-01-05 16:01Z' WHERE id = 'day';
SELECT is(pg_temp.last('shift:ended'), '{"shiftId":"day","caregiverId":"ann","endTime":"2026-01-05T16:01:00.000Z"}', 'F1: an ended one too');
UPDATE care.shifts SET ends_at = '2026-01-05 15:50Z' WHERE id = 'day';
SELECT is(pg_temp.told('shift:started') || ' ' || pg_temp.told('shift:ended'), '1 1', 'F1: once each');

-- alerts
INSERT INTO care.alerts (id, care_recipient_id, type, severity) VALUES ('a1', 'mom', 'fall_detected', 'critical');
SELECT is(pg_temp.last('emergency:alert') - 'createdAt', '{"alertId":"a1","careRecipientId":"mom","type":"fall_detected","severity":"critical"}', 'F1: an alert is told');
SELECT is(pg_temp.rooms('emergency:alert'), '{family:f1}', 'F1: to the family');
SELECT throws_ok($$INSERT INTO care.alerts (care_recipient_id, type) VALUES ('nobody', 'x')$$, '23503', 'care recipient nobody does not exist', 'F1: an alert of nobody');
SELECT is((SELECT j.run_at - a.created_at FROM _pulse.jobs j, care.alerts a WHERE j.unique_key = 'care.escalate:a1' AND a.id = 'a1'), interval '5 min', 'F1: a job looks at it after 5 min');
SELECT is(care.escalate('{"alertId":"a1"}') ->> 'escalated', 'false', 'F1: before that nothing happens');
SELECT pulse.configure('care', 'alert_escalate_after', '0 s');
SELECT is(care.escalate('{"alertId":"a1"}') ->> 'escalated', 'true', 'F1: nobody cared: it is escalated');
SELECT is(pg_temp.last('emergency:alert:escalated') - 'at', '{"alertId":"a1"}', 'F1: and told');
SELECT is(care.escalate('{"alertId":"a1"}') ->> 'escalated', 'false', 'F1: once');
UPDATE care.alerts SET acknowledged_by = 'bob' WHERE id = 'a1';
SELECT is(pg_temp.last('emergency:alert:acknowledged') - 'at', '{"alertId":"a1","acknowledgedBy":"bob"}', 'F1: who acknowledges is told');
SELECT isnt((SELECT acknowledged_at FROM care.alerts), NULL, 'F1: with the time, which the database fills');
INSERT INTO care.alerts (id, care_recipient_id, type) VALUES ('a2', 'mom', 'wandering');
UPDATE care.alerts SET acknowledged_by = 'ann' WHERE id = 'a2';
SELECT is(care.escalate('{"alertId":"a2"}') ->> 'escalated', 'false', 'F1: an acknowledged one is not escalated');

-- messages
INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'ann', 'hello');
SELECT is(pg_temp.last('message') - 'createdAt', (SELECT jsonb_build_object('from', 'ann', 'message', 'hello', 'familyId', 'f1', 'channelId', channel_id, 'messageId', id) FROM care.messages),
    'F1: a message is told, of the default channel');
SELECT is(pg_temp.rooms('notification:badge') || (pg_temp.last('notification:badge') ->> 'unread'), '{user:bob}1', 'F4: the badge of the others is');
INSERT INTO care.messages (channel_id, user_id, message) SELECT id, 'bob', 'hi' FROM care.channels WHERE family_id = 'f1';
SELECT is((SELECT family_id FROM care.messages WHERE user_id = 'bob'), 'f1', 'F1: the family is that of the channel');
SELECT throws_ok($$INSERT INTO care.messages (family_id, user_id, message) VALUES ('none', 'ann', 'x')$$, '23503', NULL, 'F1: a message to nobody');

-- whose is whose
INSERT INTO care.medication_logs (medication_id, care_recipient_id, family_id, scheduled_for, logged_by) VALUES ('m1', 'dad', 'f:2', '2026-01-09 08:00Z', 'ann');
SELECT is((SELECT care_recipient_id || ' ' || family_id FROM care.medication_logs WHERE scheduled_for = '2026-01-09 08:00Z'), 'mom f1', 'F1: a dose is its medication''s family''s, whatever the INSERT says');
INSERT INTO care.alerts (id, care_recipient_id, family_id, type, acknowledged_by) VALUES ('x', 'mom', 'f:2', 'test', 'ann');
SELECT is((SELECT family_id || ' ' || (acknowledged_at IS NOT NULL) FROM care.alerts WHERE id = 'x'), 'f1 true', 'F1: so is an alert; one that is acknowledged from the start has its time');
SELECT throws_ok($$INSERT INTO care.shifts (family_id, caregiver_id, care_recipient_id, starts_at, ends_at) VALUES ('f:2', 'zoe', 'mom', now() + interval '90 d', now() + interval '91 d')$$, '23503', NULL,
    'F1: a shift is for somebody of the family');
SET LOCAL row_security = off;   -- as a script of pg_dump, but written by hand
INSERT INTO care.alerts (id, care_recipient_id, family_id, type) VALUES ('loaded', 'mom', 'f1', 'test');
INSERT INTO care.messages (channel_id, family_id, user_id, message) SELECT c.id, c.family_id, 'ann', 'loaded' FROM care.channels c WHERE c.family_id = 'f1' AND c.is_default;
INSERT INTO care.medication_logs (medication_id, care_recipient_id, family_id, scheduled_for, logged_by) VALUES ('m1', 'mom', 'f1', '2026-01-10 08:00Z', 'loaded');
SET LOCAL row_security = on;
SELECT ok((SELECT a.created_at IS NOT NULL FROM care.alerts a WHERE a.id = 'loaded') AND (SELECT m.created_at IS NOT NULL FROM care.messages m WHERE m.message = 'loaded')
    AND (SELECT l.logged_at IS NOT NULL FROM care.medication_logs l WHERE l.logged_by = 'loaded'), 'F1: rows that are loaded without their time get one');
DELETE FROM pulse.events WHERE name = 'pulse:evict';
SAVEPOINT before;
TRUNCATE care.members;
SELECT is((SELECT array_agg(payload ->> 'room' ORDER BY payload ->> 'room') FROM pulse.events WHERE name = 'pulse:evict' AND payload ->> 'userId' IS NULL), '{family:f%3A2,family:f1}'::text[], 'F1: TRUNCATE puts everybody out');
ROLLBACK TO before;

SELECT throws_ok('INSERT INTO care.families (id, name) VALUES (repeat('':'', 100), ''x'')', '23514', NULL, 'F1: an id whose room would have too long a name is refused');

SELECT * FROM finish();
ROLLBACK;
