-- api/service.sql: what is asked and told of a case, as jobs; and what becomes of the answers. Nothing is sent here: tests/e2e/sos_service.test.mjs.
BEGIN;
SELECT plan(33);

CREATE FUNCTION pg_temp.jobs() RETURNS SETOF jsonb LANGUAGE sql AS
    $$SELECT j.args::jsonb FROM _pulse.jobs j WHERE j.queue = 'sos-service' ORDER BY j.id$$;
CREATE FUNCTION pg_temp.told() RETURNS jsonb LANGUAGE sql AS
    $$SELECT j.args::jsonb FROM _pulse.jobs j WHERE j.kind = 'sos_tell' ORDER BY j.id DESC LIMIT 1$$;
CREATE FUNCTION pg_temp.ended(sos_id text, state text, result json) RETURNS json LANGUAGE sql AS
    $$SELECT _sos.verified(json_build_object('kind', 'sos_verify', 'state', state, 'args', json_build_object('sosId', sos_id), 'result', result))$$;
CREATE FUNCTION pg_temp.last(event text) RETURNS jsonb LANGUAGE sql AS
    $$SELECT e.payload::jsonb FROM pulse.events e WHERE e.name = event ORDER BY e.id DESC LIMIT 1$$;

-- without a service
INSERT INTO sos.cases (id, citizen_id) VALUES ('s0', 'ann');
INSERT INTO sos.messages (case_id, user_id, message) VALUES ('s0', 'ann', 'help');
SELECT is_empty('SELECT * FROM pg_temp.jobs()', 'S6: without service_url nobody is asked or told');
SELECT is(sos.verify('s0'), NULL, 'S6: nor by hand');
SELECT is(_sos.tell_request('{}')::text, NULL, 'S6: and what waits is not sent');

SELECT pulse.configure('sos', 'service_url', 'http://sos.internal:3001/base/');
INSERT INTO sos.cases (id, citizen_id, details) VALUES ('s1', 'ann', '{"floor":3}');
SELECT is((SELECT array_agg(j.kind ORDER BY j.id) FROM _pulse.jobs j WHERE j.queue = 'sos-service'), '{sos_verify,sos_tell}'::text[], 'S6: a new case is asked about, then told of');
SELECT is((SELECT j.args::jsonb FROM _pulse.jobs j WHERE j.kind = 'sos_verify'), '{"sosId":"s1"}', 'S6: the job that asks has the id of the case only');
SELECT is(pg_temp.told() - 'eventId' - 'timestamp' #- '{data,updatedAt}',
    '{"event":"sos:status:broadcast","sosId":"s1","data":{"sosId":"s1","status":"open","previousStatus":null,"updatedBy":"system","role":"system"}}',
    'S6: what is told is {event, sosId, data, timestamp, eventId}');
SELECT is(pg_temp.told() -> 'data', pg_temp.last('sos:status:broadcast'), 'S6: data is what the room hears');
SELECT is(pg_temp.told() ->> 'timestamp', pg_temp.last('sos:status:broadcast') ->> 'updatedAt', 'S6: at its time');
SELECT matches(pg_temp.told() ->> 'eventId', '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', 'S6: with an id of its own');
SELECT is((SELECT string_agg(concat_ws(' ', j.kind, j.partition_key, j.on_end, j.max_attempts), ', ' ORDER BY j.id) FROM _pulse.jobs j WHERE j.queue = 'sos-service'),
    'sos_verify s1 _sos.verified 12, sos_tell s1 12', 'S6: jobs of a case run in their order, and are tried twelve times');

UPDATE sos.cases SET status = 'assigned', note = 'unit 7' WHERE id = 's1';
SELECT is(pg_temp.told() -> 'data', pg_temp.last('sos:status:broadcast'), 'S6: a change of status is told with its note');
UPDATE sos.cases SET latitude = 19 WHERE id = 's1';
SELECT is((SELECT count(*) FROM pg_temp.jobs()), 3::bigint, 'S6: another change is not');
INSERT INTO sos.messages (case_id, user_id, message) VALUES ('s1', 'ann', 'third floor');
SELECT is(pg_temp.told() -> 'data', pg_temp.last('message:broadcast'), 'S6: messages are told');
SELECT is(pg_temp.told() ->> 'event', 'message:broadcast', 'S6: by the name of their event');
INSERT INTO sos.positions (case_id, user_id, latitude, longitude, speed) VALUES ('s1', 'ann', 19.076, 72.8777, 1.5);
SELECT is(pg_temp.told() - 'eventId' - 'timestamp' #- '{data,timestamp}',
    '{"event":"location:broadcast","sosId":"s1","data":{"sosId":"s1","userId":"ann","role":"citizen","latitude":19.076,"longitude":72.8777,"speed":1.5}}', 'S6: and positions that are kept');
UPDATE sos.cases SET status = 'closed' WHERE id = 's1';
SELECT is(pg_temp.told() #>> '{data,status}', 'closed', 'S6: and the close');
SELECT is((SELECT count(DISTINCT j ->> 'eventId') FROM pg_temp.jobs() j), 5::bigint, 'S6: each with another id');

-- what is sent
SELECT is(_sos.verify_request('{"sosId":"a b/../ü?#%"}')::jsonb - 'headers', '{"method":"GET","url":"http://sos.internal:3001/base/internal/sos/a%20b%2F..%2F%C3%BC%3F%23%25","final":[404],"keep":65536}',
    'S6: GET {service_url}/internal/sos/{sosId}, the id as one part of the path');
SELECT is(_sos.verify_request('{"sosId":".."}')::text, NULL, 'S6: an id cannot lead to another path');
SELECT is(_sos.tell_request('{"event":"e","sosId":"s1"}')::jsonb, '{"url":"http://sos.internal:3001/base/internal/realtime/event","body":{"event":"e","sosId":"s1"},"final":[400,413,422]}',
    'S6: POST {service_url}/internal/realtime/event');
SELECT pulse.configure('sos', 'service_url', ' http://other ');
SELECT is(_sos.tell_request('{"sosId":"s1"}') ->> 'url', 'http://other/internal/realtime/event', 'S6: to the address as it is when it is sent');

-- answers
SELECT is(pg_temp.ended('s1', 'completed', '{"status":200,"body":{"address":"Marine Drive","floor":4}}')::jsonb, '{"verified":true,"details":true}', 'S6: the service knows the case');
SELECT is((SELECT c.details::jsonb FROM sos.cases c WHERE c.id = 's1'), '{"address":"Marine Drive","floor":4}', 'S6: its details are kept');
SELECT is(sos.state('s1') -> 'verified' || ' ' || (sos.state('s1') -> 'details' ->> 'floor'), 'true 4', 'S6: and read');
SELECT is(pg_temp.last('sos:verified') - 'verifiedAt', '{"sosId":"s1","verified":true,"details":{"address":"Marine Drive","floor":4}}', 'S6: the room hears it');
SELECT is(pg_temp.ended('s1', 'completed', '{"status":200,"body":"{\"cut"}')::jsonb, '{"verified":true,"details":false}', 'S6: what is no object is no details');
SELECT is(pg_temp.ended('s1', 'completed', '{"status":204,"body":null}')::jsonb -> 'details', 'false', 'S6: nor is nothing');
SELECT is(pg_temp.ended('s1', 'discarded', NULL)::jsonb -> 'verified', 'null', 'S6: a service that is away says nothing');
SELECT is((SELECT c.verified || ' ' || (c.details ->> 'floor') FROM sos.cases c WHERE c.id = 's1'), 'true 4', 'S6: what was known stays');
SELECT is(pg_temp.ended('s1', 'discarded', '{"status":404}')::jsonb, '{"verified":false,"details":false}', 'S6: 404: it does not know the case');
SELECT is((SELECT c.verified || ' ' || c.status FROM sos.cases c WHERE c.id = 's1'), 'false closed', 'S6: which is written down and changes nothing else');
SELECT is(_sos.tell_request('{"event":"e","sosId":"s1"}')::text, NULL, 'S6: of such a case it is told nothing');
SELECT ok(sos.verify('s1') IS NOT NULL, 'S6: it can be asked again');

SELECT * FROM finish();
ROLLBACK;
