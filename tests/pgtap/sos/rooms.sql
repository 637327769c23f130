-- api/rooms.sql: S2, who may be in the room of a case, asked the way the bridge asks.
BEGIN;
SELECT plan(32);

INSERT INTO sos.cases (id, citizen_id) VALUES ('s1', 'ann'), ('over', 'ann'), ('old', 'ann');
UPDATE sos.cases SET status = 'closed' WHERE id = 'over';
UPDATE sos.cases SET expires_at = now() - interval '1 s' WHERE id = 'old';
INSERT INTO sos.participants (case_id, user_id, role) VALUES ('s1', 'guest', 'neighbour');

CREATE FUNCTION pg_temp.context(user_id text, claims json) RETURNS json LANGUAGE sql AS
    $$SELECT json_build_object('claims', claims, 'userId', user_id, 'sessionId', 's1', 'socketId', 'k1', 'namespace', '/')$$;
CREATE FUNCTION pg_temp.may(user_id text, claims json, room text DEFAULT 'sos:s1', operation text DEFAULT 'join') RETURNS boolean LANGUAGE sql AS
    $$SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', operation, 'room', room, 'context', pg_temp.context(user_id, claims)))) d$$;
CREATE FUNCTION pg_temp.joined(user_id text, claims json) RETURNS text[] LANGUAGE sql AS
    $$SELECT array_agg(r ORDER BY r) FROM json_array_elements_text(pulse.handle_connect('/', pg_temp.context(user_id, claims)) -> 'rooms') r$$;

SELECT ok(pg_temp.may('ann', '{}'), 'S2: the citizen whose case it is');
SELECT ok(pg_temp.may('ann', '{"role":"citizen","sosId":"s9"}'), 'S2: also with a token for another case');
SELECT ok(pg_temp.may('bob', '{"role":"citizen","sosId":"s1"}'), 'S2: whoever has a token for the case');
SELECT ok(NOT pg_temp.may('bob', '{"role":"citizen"}'), 'S2: not another citizen');
SELECT ok(NOT pg_temp.may('bob', '{"role":"citizen","sosId":"s2"}'), 'S2: not one with a token for another case');
SELECT ok(NOT pg_temp.may('bob', '{}'), 'S2: not somebody without role');
SELECT ok(NOT pg_temp.may('bob', '{"role":"Dispatcher"}'), 'S2: not one with a role that is none of ours');
SELECT ok(pg_temp.may('rex', '{"role":"rescuer","sosId":"s1"}'), 'S2: the rescuer of the case');
SELECT ok(pg_temp.may('rex', '{"role":"rescuer"}'), 'S2: a rescuer whose token names no case');
SELECT ok(NOT pg_temp.may('rex', '{"role":"rescuer","sosId":"s2"}'), 'S2: not a rescuer whose token is for another one');
SELECT ok(pg_temp.may('dee', '{"role":"dispatcher","sosId":"s2"}') AND pg_temp.may('dee', '{"role":"admin"}'), 'S2: dispatchers and admins');
SELECT ok(pg_temp.may('guest', '{"role":"neighbour"}'), 'S2: whom the table of participants admits');
SELECT ok(NOT pg_temp.may(NULL, '{"role":"dispatcher"}'), 'S2: nobody anonymous');
SELECT ok(NOT pg_temp.may(NULL, '{"sosId":"s1"}'), 'S2: nobody anonymous, whatever the token names');
SELECT ok(NOT pg_temp.may('bob', '{"sosId":["s1"]}'), 'S2: a claim that is no text is none');
SELECT ok(NOT pg_temp.may('dee', '{"role":"dispatcher"}', 'sos:none'), 'S2: no room without a case');
SELECT ok(pg_temp.may('bob', '{"sosId":"new"}', 'sos:new'), 'S2: but for a token that is for it: the case may be opened a moment later');
SELECT ok(NOT pg_temp.may('ann', '{}', 'sos:s1:x'), 'S2: no room beside it');
SELECT ok(NOT pg_temp.may('ann', '{}', 'sos:over') AND NOT pg_temp.may('dee', '{"role":"admin"}', 'sos:over'), 'S5: nobody comes into a closed case');
SELECT ok(NOT pg_temp.may('ann', '{}', 'sos:old') AND NOT pg_temp.may('bob', '{"sosId":"old"}', 'sos:old'), 'S5: nor into an expired one');
SELECT ok(pg_temp.may('ann', '{}', 'sos:s1', 'history') AND pg_temp.may('ann', '{}', 'sos:s1', 'presence'), 'S2: who may be there may read what was, and who is there');
SELECT ok(NOT pg_temp.may('bob', '{}', 'sos:s1', 'history') AND NOT pg_temp.may('bob', '{}', 'sos:s1', 'presence') AND NOT pg_temp.may('ann', '{}', 'sos:s1', 'publish'),
    'S2: others may not, and nobody publishes there but handlers');

SELECT is(pg_temp.joined('ann', '{"sosId":"s1","role":"citizen"}'), '{sos:s1,user:ann}'::text[], 'S2: connect joins the case of the token');
SELECT is(pg_temp.joined('ann', '{"role":"citizen"}'), '{user:ann}'::text[], 'S2: without the claim none');
SELECT is(pg_temp.joined('ann', '{"sosId":"new"}'), '{sos:new,user:ann}'::text[], 'S2: also one that is opened later');
SELECT is(pg_temp.joined('ann', '{"sosId":"a:b"}'), '{sos:a%3Ab,user:ann}'::text[], 'S2: an id is one part of the room''s name');
SELECT is(pg_temp.joined('ann', '{"sosId":"over"}'), '{user:ann}'::text[], 'S5: not a closed one');
SELECT is(pg_temp.joined('ann', '{"sosId":"old"}'), '{user:ann}'::text[], 'S5: not an expired one');
SELECT is(pg_temp.joined('ann', '{"sosId":""}'), '{user:ann}'::text[], 'S2: an empty claim is none');
SELECT is(pg_temp.joined('rex', '{"sosId":"s1","role":"rescuer"}'), '{sos:s1,user:rex}'::text[], 'S2: a rescuer likewise');
SELECT is(pg_temp.joined('ann', json_build_object('sosId', repeat(':', 100))), '{user:ann}'::text[], 'S2: a claim that can be the id of no case connects, too');
SELECT results_eq($$SELECT user_id, role, admitted FROM sos.participants WHERE case_id = 's1' ORDER BY 1$$,
    $$VALUES ('ann' COLLATE "C", 'citizen', true), ('guest', 'neighbour', true), ('rex', 'rescuer', false)$$, 'whom a token let in takes part, and is let in by tokens alone');

SELECT * FROM finish();
ROLLBACK;
