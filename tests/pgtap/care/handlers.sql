-- What members send, called through pulse.handle as the bridge calls it; and F2: the table of members is asked each time.
BEGIN;
SELECT plan(39);

INSERT INTO care.families (id, name) VALUES ('f1', 'Rao'), ('f2', 'Iyer');
INSERT INTO care.members (family_id, user_id, left_at) VALUES ('f1', 'ann', NULL), ('f1', 'bob', NULL), ('f2', 'ann', NULL), ('f2', 'cleo', NULL), ('f1', 'gone', now());
INSERT INTO care.care_recipients (id, family_id, name) VALUES ('mom', 'f1', 'Mom');
INSERT INTO care.alerts (id, care_recipient_id, type) VALUES ('a1', 'mom', 'fall_detected');
UPDATE care.channels SET id = 'c-' || family_id;
INSERT INTO care.channels (id, family_id, name) VALUES ('night', 'f1', 'night shift');

CREATE FUNCTION pg_temp.context(user_id text) RETURNS json LANGUAGE sql AS
    $$SELECT json_build_object('claims', '{}'::json, 'userId', user_id, 'sessionId', 's-' || user_id, 'socketId', 'k1', 'namespace', '/')$$;
CREATE FUNCTION pg_temp.emit(user_id text, event text, args json) RETURNS jsonb LANGUAGE sql AS
    $$SELECT h.ack::jsonb -> 0 FROM pulse.handle('/', event, args, pg_temp.context(user_id)) h$$;
CREATE FUNCTION pg_temp.effects(user_id text, event text, args json) RETURNS text LANGUAGE sql AS
    $$SELECT h.effects::text FROM pulse.handle('/', event, args, pg_temp.context(user_id)) h$$;
CREATE FUNCTION pg_temp.refusal(user_id text, event text, args json) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
BEGIN
    PERFORM pg_temp.emit(user_id, event, args);
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
    RETURN v_state || ' ' || v_message;
END
$$;
CREATE FUNCTION pg_temp.may(user_id text, room text, operation text DEFAULT 'join') RETURNS boolean LANGUAGE sql AS
    $$SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', operation, 'room', room, 'context', pg_temp.context(user_id)))) d$$;
CREATE FUNCTION pg_temp.joined(user_id text) RETURNS text[] LANGUAGE sql AS
    $$SELECT array_agg(r ORDER BY r) FROM json_array_elements_text(pulse.handle_connect('/', pg_temp.context(user_id)) -> 'rooms') r$$;
CREATE FUNCTION pg_temp.last(event text) RETURNS jsonb LANGUAGE sql AS
    $$SELECT e.payload::jsonb FROM pulse.events e WHERE e.name = event ORDER BY e.id DESC LIMIT 1$$;

-- rooms
SELECT is(pg_temp.joined('ann'), '{family:f1,family:f2,user:ann}'::text[], 'F1: connect joins every family of the user');
SELECT is(pg_temp.joined('gone'), '{user:gone}'::text[], 'F1: not one that the user has left');
SELECT ok(pg_temp.may('bob', 'family:f1') AND pg_temp.may('bob', 'family:f1', 'history') AND pg_temp.may('bob', 'family:f1', 'presence'), 'F2: members join, and read what was');
SELECT ok(NOT pg_temp.may('cleo', 'family:f1') AND NOT pg_temp.may('gone', 'family:f1') AND NOT pg_temp.may(NULL, 'family:f1') AND NOT pg_temp.may('bob', 'family:f1', 'publish'), 'F2: nobody else does');
SELECT is((SELECT d.reason FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', 'family:f1', 'context', pg_temp.context('cleo')))) d), 'Not a family member', 'F2: in the words of the original');

-- every event asks
SELECT is(pg_temp.refusal('cleo', event, args::json), 'PL403 Not a family member', 'F2: ' || event || ' of a stranger')
  FROM (VALUES ('join:family', '[{"familyId":"f1"}]'), ('family:send-message', '[{"familyId":"f1","message":"x"}]'), ('typing:start', '[{"channelId":"c-f1"}]'),
               ('message:read', '[{"channelId":"c-f1","messageId":"x"}]'), ('alert:acknowledge', '[{"alertId":"a1"}]')) v (event, args);
SELECT is(pg_temp.refusal('gone', 'join:family', '[{"familyId":"f1"}]'), 'PL403 Not a family member', 'F2: of one who has left');
SELECT is(pg_temp.refusal('cleo', 'presence:update', '[{"status":"away"}]'), 'allowed', 'F2: presence:update goes to families of one''s own');
SELECT is(pg_temp.refusal('gone', 'presence:update', '[{"status":"away"}]'), 'PL403 Not a family member', 'F2: who has none tells nobody');
SELECT is(pg_temp.refusal('cleo', 'join:family', '[{"familyId":"none"}]'), 'PL403 Not a family member', 'F2: a family that is not there is refused with the same words');
SELECT is(pg_temp.refusal(NULL, 'join:family', '[{"familyId":"f1"}]'), 'PL401 this needs a user', 'F2: somebody anonymous');
SELECT is(pg_temp.refusal('ann', 'join:family', '["f1"]'), 'PL422 what is sent must be a JSON object', 'F2: a string');
SELECT is(pg_temp.refusal('ann', 'join:family', '[{}]'), 'PL422 familyId must be a text of 1 to 200 characters', 'F2: no family');

-- what they do
SELECT is(pg_temp.emit('ann', 'join:family', '[{"familyId":"f1"}]'), '{"ok":true,"familyId":"f1"}', 'F2: join:family is acked');
SELECT is(pg_temp.effects('ann', 'join:family', '[{"familyId":"f1"}]')::jsonb #>> '{0,join}', 'family:f1', 'F2: and joins');
CREATE TEMPORARY TABLE m AS SELECT pg_temp.emit('ann', 'family:send-message', '[{"familyId":"f1","message":"hello","clientMessageId":"k1"}]') AS ack;
SELECT is((SELECT ack FROM m), (SELECT jsonb_build_object('ok', true, 'messageId', id) FROM care.messages), 'F2: family:send-message is acked with the messageId');
SELECT is(pg_temp.last('message') - 'messageId' - 'createdAt', '{"from":"ann","message":"hello","familyId":"f1","channelId":"c-f1"}', 'F1: the family hears it, of the default channel');
SELECT is(pg_temp.emit('ann', 'family:send-message', '[{"familyId":"f1","message":"hello","clientMessageId":"k1"}]'), (SELECT ack FROM m), 'F3: sent again it is the same message');
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'message'), 1::bigint, 'F3: told once');
SELECT is(pg_temp.emit('ann', 'family:send-message', '[{"familyId":"f1","message":"zzz","channelId":"night"}]') ->> 'ok', 'true', 'F2: into another channel of the family');
SELECT is(pg_temp.refusal('ann', 'family:send-message', '[{"familyId":"f1","message":"x","channelId":"c-f2"}]'), 'PL404 there is no such channel in the family', 'F2: not into one of another family');
SELECT is(pg_temp.emit('ann', 'typing:start', '[{"channelId":"c-f1"}]'), '{"ok":true}', 'F2: typing:start');
SELECT is((SELECT count(*) FROM pulse.events WHERE name = 'typing:start'), 0::bigint, 'E3: nobody''s typing is in the log of events');
SELECT is(pg_temp.emit('ann', 'presence:update', '[{"status":"away"}]'), '{"ok":true}', 'F2: presence:update');
SELECT is((SELECT rooms::text || (payload::jsonb - 'lastSeen') FROM pulse.events WHERE name = 'presence:update' ORDER BY id DESC LIMIT 1), '{family:f1,family:f2}{"status": "away", "userId": "ann"}', 'F2: to all families of the user');
SELECT is(pg_temp.refusal('ann', 'presence:update', '[{"status":"asleep"}]'), 'PL422 status must be one of online, away, offline', 'F2: one of three');

-- badge
SELECT is(care.unread('bob'), 2::bigint, 'F4: two messages of ann are unread');
SELECT is(pg_temp.emit('bob', 'message:read', (SELECT json_build_array(json_build_object('channelId', channel_id, 'messageId', id)) FROM care.messages WHERE channel_id = 'c-f1')), '{"ok":true,"unread":1}', 'F4: message:read counts what is left');
SELECT is((SELECT rooms::text || payload FROM pulse.events WHERE name = 'notification:badge' ORDER BY id DESC LIMIT 1), '{user:bob}{"unread":1}', 'F4: all devices of the reader hear it');
SELECT is(care.unread('ann'), 0::bigint, 'F4: one''s own messages are read');
SELECT is(pg_temp.refusal('bob', 'message:read', '[{"channelId":"night","messageId":"00000000-0000-0000-0000-000000000000"}]'), 'PL404 there is no such message in the channel', 'F4: a message that is not there');
UPDATE care.members SET left_at = now() WHERE user_id = 'bob';
SELECT is(care.unread('bob'), 0::bigint, 'F4: who has left has nothing to read');
UPDATE care.members SET left_at = NULL WHERE user_id = 'bob';

-- alerts
CREATE TEMPORARY TABLE k AS SELECT pg_temp.emit('bob', 'alert:acknowledge', '[{"alertId":"a1"}]') AS ack;
SELECT is((SELECT ack - 'acknowledgedAt' FROM k), '{"ok":true,"alertId":"a1","acknowledgedBy":"bob"}', 'F1: alert:acknowledge');
SELECT is(pg_temp.emit('ann', 'alert:acknowledge', '[{"alertId":"a1"}]'), (SELECT ack FROM k), 'F1: who comes second is told who was first');

UPDATE care.channels SET is_default = false WHERE family_id = 'f1';
SELECT is(pg_temp.refusal('ann', 'family:send-message', '[{"familyId":"f1","message":"x"}]'), 'PL404 there is no such channel in the family', 'F2: a family without a default channel');

SELECT * FROM finish();
ROLLBACK;
