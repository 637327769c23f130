-- Plain SQL is the API: what an INSERT, an UPDATE, a DELETE and the time do to a case.
BEGIN;
SELECT plan(44);

CREATE FUNCTION pg_temp.last(event text) RETURNS jsonb LANGUAGE sql AS
    $$SELECT e.payload::jsonb FROM pulse.events e WHERE e.name = event ORDER BY e.id DESC LIMIT 1$$;
CREATE FUNCTION pg_temp.rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_rows text;
BEGIN
    EXECUTE format('SELECT string_agg(t::text, '' '') FROM (%s) t', query) INTO v_rows;
    RETURN v_rows;
END
$$;
CREATE FUNCTION pg_temp.told(event text) RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM pulse.events e WHERE e.name = event$$;

INSERT INTO sos.cases (id, citizen_id, latitude, longitude, details) VALUES ('s1', 'ann', 19.076, 72.8777, '{"floor":3,"note":null}');
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt', '{"sosId":"s1","status":"open","previousStatus":null,"updatedBy":"system","role":"system"}',
    'S1: an inserted case is told to its room');
SELECT matches(pg_temp.last('sos:status:broadcast') ->> 'updatedAt', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'S1: with its time in UTC');
SELECT is((SELECT rooms FROM pulse.events WHERE name = 'sos:status:broadcast'), '{sos:s1}', 'S1: to sos:{id}');
SELECT is((SELECT expires_at - created_at FROM sos.cases), interval '24 hours', 'S5: a case lives for 24 h');
SELECT is(pg_temp.rows('SELECT user_id, role FROM sos.participants'), '(ann,citizen)', 'the citizen takes part in the own case');
SELECT is(pg_temp.rows('SELECT room, status, participants FROM sos.active_rooms'), '(sos:s1,open,1)', 'S5: it is among the active rooms');
SELECT is((SELECT j.run_at - c.created_at FROM _pulse.jobs j, sos.cases c WHERE j.unique_key = 'sos.clean_up:s1'), interval '24 hours', 'S5: a job looks at it then');
SELECT is(sos.state('s1')::jsonb -> 'details', '{"floor":3,"note":null}', 'S4: details are given as they are, nulls too');
SELECT is(sos.state('none')::text, NULL, 'S4: no state of a case that is not there');

UPDATE sos.cases SET status = 'assigned', note = 'unit 7' WHERE id = 's1';
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt',
    '{"sosId":"s1","status":"assigned","previousStatus":"open","updatedBy":"system","role":"system","note":"unit 7"}', 'S1: an updated status is told, with its note');
UPDATE sos.cases SET status = 'en_route' WHERE id = 's1';
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt', '{"sosId":"s1","status":"en_route","previousStatus":"assigned","updatedBy":"system","role":"system"}',
    'S1: the note of the change before is not told again');
INSERT INTO sos.participants (case_id, user_id, role) VALUES ('s1', 'bob', 'rescuer');
UPDATE sos.cases SET status = 'on_scene', updated_by = 'bob' WHERE id = 's1';
SELECT is(pg_temp.last('sos:status:broadcast') - 'updatedAt', '{"sosId":"s1","status":"on_scene","previousStatus":"en_route","updatedBy":"bob","role":"rescuer"}',
    'S1: who names himself is told, with the role of the participant');
UPDATE sos.cases SET status = 'resolved', updated_by = 'bob' WHERE id = 's1';
SELECT is(pg_temp.last('sos:status:broadcast') ->> 'updatedBy', 'bob', 'S1: the same one again is named again');
UPDATE sos.cases SET latitude = 19.08 WHERE id = 's1';
SELECT is(pg_temp.told('sos:status:broadcast'), 5::bigint, 'S1: a change of something else is not told');
SELECT throws_ok($$UPDATE sos.cases SET status = 'lost'$$, '23514', NULL, 'a status is one of seven');

-- closing
UPDATE sos.cases SET status = 'closed' WHERE id = 's1';
SELECT is((SELECT array_agg(name ORDER BY id) FROM (SELECT name, id FROM pulse.events ORDER BY id DESC LIMIT 2) e), '{sos:status:broadcast,pulse:evict}'::text[],
    'S1: the room hears that the case is closed, then it is emptied');
SELECT is(pg_temp.last('pulse:evict'), '{"room":"sos:s1","userId":null,"reason":"closed"}', 'S1: everybody leaves sos:s1');
SELECT is((SELECT expires_at - closed_at FROM sos.cases), interval '1 hour', 'S5: a closed case lives for one hour more');
SELECT is_empty('SELECT * FROM sos.active_rooms', 'S5: its room is not active any more');
SELECT is(sos.state('s1') ->> 'status', 'closed', 'S5: its state can be read');
SELECT is(sos.clean_up() ->> 'emptied', '0', 'S5: there is nothing left to empty');
UPDATE sos.cases SET status = 'open' WHERE id = 's1';
SELECT ok((SELECT closed_at IS NULL AND emptied_at IS NULL AND expires_at > now() + interval '23 hours' FROM sos.cases), 'S5: a case that is opened again lives on');

-- time
SELECT pulse.configure('sos', 'state_ttl', '0 s');
SELECT is(sos.state('s1')::text, NULL, 'S5: a shorter life holds at once, for the cases there are');
SELECT is_empty('SELECT * FROM sos.active_rooms', 'S5: an expired room is not active');
SELECT is(sos.clean_up() ->> 'emptied', '1', 'S5: the room of an expired case is emptied');
SELECT is(pg_temp.last('pulse:evict') ->> 'reason', 'expired', 'S5: everybody is told why');
SELECT is(sos.clean_up() ->> 'emptied', '0', 'S5: once');
SELECT is((SELECT count(*) FROM sos.cases), 1::bigint, 'S5: the row stays');
SELECT pulse.configure('sos', 'state_ttl', NULL);

INSERT INTO sos.cases (id, citizen_id) VALUES ('s:2%', 'ann');
SELECT is((SELECT rooms FROM pulse.events WHERE name = 'sos:status:broadcast' ORDER BY id DESC LIMIT 1), '{sos:s%3A2%25}', 'an id with a colon is one part of the room''s name');
DELETE FROM sos.cases WHERE id = 's:2%';
SELECT is(pg_temp.last('pulse:evict'), '{"room":"sos:s%3A2%25","userId":null,"reason":"deleted"}', 'S5: the room of a deleted case is emptied');

-- rights that end with their rows
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'pulse:evict' AND payload ->> 'userId' IS NOT NULL), 0::bigint, 'S2: a deleted case puts everybody out at once, and nobody once more');
INSERT INTO sos.cases (id, citizen_id) VALUES ('s3', 'ann');
INSERT INTO sos.participants (case_id, user_id, role) VALUES ('s3', 'guest', 'neighbour'), ('s3', 'other', 'neighbour'), ('s3', 'third', 'neighbour');
DELETE FROM sos.participants WHERE user_id = 'guest';
SELECT is(pg_temp.last('pulse:evict'), '{"room":"sos:s3","userId":"guest","reason":"not admitted any more"}', 'S2: who is struck off the case is out of its room');
UPDATE sos.participants SET admitted = false WHERE user_id = 'other';
SELECT is(pg_temp.last('pulse:evict') ->> 'userId', 'other', 'S2: so is who is not admitted any more');
UPDATE sos.participants SET user_id = 'fourth' WHERE user_id = 'third';
SELECT is(pg_temp.last('pulse:evict') ->> 'userId', 'third', 'S2: and whose row becomes another''s');
UPDATE sos.cases SET citizen_id = 'eve' WHERE id = 's3';
SELECT is(pg_temp.last('pulse:evict'), '{"room":"sos:s3","userId":"ann","reason":"not admitted any more"}', 'S2: who gives the case to somebody else is out of it');
SELECT is(pg_temp.rows($$SELECT user_id, role, admitted FROM sos.participants WHERE case_id = 's3' AND user_id IN ('ann', 'eve') ORDER BY 1$$), '(ann,citizen,f) (eve,citizen,t)', 'S2: and that one is in');
UPDATE sos.cases SET id = 's4' WHERE id = 's3';
SELECT is(pg_temp.last('pulse:evict'), '{"room":"sos:s3","userId":null,"reason":"renamed"}', 'S2: nobody stays in the room of an id that is free for another case');
SELECT isnt((SELECT id FROM _pulse.jobs WHERE unique_key = 'sos.clean_up:s4'), NULL, 'S5: a job looks after the case under its new id');
SAVEPOINT before;
TRUNCATE sos.cases CASCADE;
SELECT isnt_empty($$SELECT FROM pulse.events e WHERE e.name = 'pulse:evict' AND e.payload::jsonb = '{"room":"sos:s4","userId":null,"reason":"deleted"}'$$, 'S5: TRUNCATE empties the rooms, too');
ROLLBACK TO before;
SELECT max(id) AS before FROM pulse.events \gset
TRUNCATE sos.participants;
SELECT is((SELECT string_agg(e.payload::text, ' ') FROM pulse.events e WHERE e.name = 'pulse:evict' AND e.id > :before), '{"room":"sos:s4","userId":"fourth","reason":"not admitted any more"}',
    'S2: TRUNCATE puts out whom the rows let in');
ROLLBACK TO before;
DELETE FROM sos.cases WHERE id = 's4';

-- messages and statistics
INSERT INTO sos.messages (case_id, user_id, message) VALUES ('s1', 'bob', 'nearly there');
SELECT is(pg_temp.last('message:broadcast') - 'messageId' - 'createdAt', '{"sosId":"s1","from":"bob","role":"rescuer","message":"nearly there"}',
    'S1: an inserted message is told, with the sender''s role');
SELECT is(pg_temp.rows('SELECT user_id, cases, messages, positions FROM sos.activity_by_user ORDER BY 1'), '(ann,1,0,0) (bob,1,1,0)', 'S7: activity by user');
SELECT is(pg_temp.rows('SELECT cases_opened, cases_closed, messages, positions FROM sos.activity_by_day'), '(1,0,1,0)', 'S7: activity by day');

SELECT throws_ok('INSERT INTO sos.cases (id, citizen_id) VALUES (repeat('':'', 100), ''ann'')', '23514', NULL, 'S5: an id whose room would have too long a name is refused');

SELECT * FROM finish();
ROLLBACK;
