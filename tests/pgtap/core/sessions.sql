-- Sessions: what is stored of them, who may continue one, and when not.
-- A server in which nobody has opened an epoch yet takes no session for ended: one event and a tick open it, and
-- leave nothing else behind.
SELECT pulse.publish('begin', 'begin', '1'::json);
SELECT _pulse.tick();
DELETE FROM pulse.events;
DELETE FROM pulse.deliveries;
DELETE FROM pulse.ticks WHERE last_position > 0;
DELETE FROM _pulse.epochs;
BEGIN;
SELECT plan(119);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
GRANT USAGE ON SCHEMA _pulse TO CURRENT_USER;
-- The log as a dispatcher would write it, inside this transaction: an event is published, then dispatched.
INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00000000000000aa', 'pulse_secret', 1000000);
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids) VALUES (1000000, 1000000, 0, now(), '1:1:', '1:1:', '{1}', '{0}');
CREATE FUNCTION shop.head() RETURNS bigint LANGUAGE sql RETURN split_part(pulse.position(), ':', 2)::bigint;
CREATE FUNCTION shop.dispatch() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_event record;
    v_position bigint;
BEGIN
    FOR v_event IN SELECT e.* FROM pulse.events e WHERE e.xid = pg_current_xact_id() AND NOT EXISTS (SELECT FROM pulse.deliveries d WHERE d.event_id = e.id AND d.xid = e.xid) ORDER BY e.id LOOP
        v_position := shop.head() + 1;
        INSERT INTO pulse.deliveries (room, position, xid, event_id, slot) SELECT room, v_position, v_event.xid, v_event.id, v_event.slot FROM unnest(v_event.rooms) room;
        INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids) VALUES (v_position, v_position, 0, now(), '1:1:', '1:1:', ARRAY[v_event.xid], ARRAY[v_event.id]);
    END LOOP;
    RETURN shop.head();
END $$;
CREATE FUNCTION shop.cursor(back bigint DEFAULT 0) RETURNS text LANGUAGE sql RETURN '00000000000000aa:' || shop.head() - back;
CREATE FUNCTION shop.publish(room text DEFAULT 'order:1') RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT pulse.publish(room, 'x', '1'::json); SELECT shop.dispatch(); END;

-- Rules: a room of an order is for whom the table names; the connect function gives what the claims name.
CREATE TABLE shop.members (room text, user_id text);
GRANT SELECT ON shop.members TO pulse_client;
CREATE FUNCTION shop.is_member(claims json, room text, params json) RETURNS boolean LANGUAGE sql BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM shop.members m WHERE m.room = is_member.room AND m.user_id IS NOT DISTINCT FROM pulse.user_id()); END;
SELECT pulse.policy('order:{id}', 'join', 'shop.is_member');
CREATE TABLE shop.greeted (session_id text, socket_id text);
GRANT INSERT ON shop.greeted TO pulse_client;
CREATE FUNCTION shop.connect(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.greeted VALUES (pulse.session_id(), pulse.socket_id());
    IF claims ->> 'refuse' IS NOT NULL THEN PERFORM pulse.fail('forbidden', 'go away'); END IF;
    RETURN json_build_object('rooms', coalesce(claims -> 'rooms', '[]'));
END $$;
SELECT pulse.namespace('/', 'shop.connect'), pulse.namespace('/desk', 'shop.connect');
INSERT INTO shop.members SELECT 'order:' || n, 'ann' FROM generate_series(1, 9) n;

CREATE FUNCTION shop.connect_as(key text, user_id text DEFAULT 'ann', bridge text DEFAULT 'b1', rooms text DEFAULT '[]', recover json DEFAULT NULL,
                                namespace text DEFAULT '/', claims json DEFAULT '{}') RETURNS jsonb LANGUAGE sql
    RETURN pulse.handle_connect(namespace, json_strip_nulls(json_build_object('userId', user_id, 'sessionId', key, 'socketId', 'socket of ' || key, 'bridge', bridge, 'pid', 'pid of ' || key,
        'claims', (claims::jsonb || jsonb_build_object('rooms', rooms::jsonb)), 'recover', recover)))::jsonb;
CREATE FUNCTION shop.come_back(key text, cursor text DEFAULT NULL, user_id text DEFAULT 'ann', bridge text DEFAULT 'b1', rooms text DEFAULT '[]', namespace text DEFAULT '/', claims json DEFAULT '{}') RETURNS jsonb LANGUAGE sql
    RETURN shop.connect_as('new ' || key, user_id, bridge, rooms, json_build_object('pid', 'pid of ' || key, 'cursor', cursor), namespace, claims);
CREATE FUNCTION shop.join_room(key text, room text, generation bigint DEFAULT NULL, since text DEFAULT NULL, user_id text DEFAULT 'ann') RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', d.allowed::text, d.recovered::text, d.must_refetch, d.since - shop.head()) FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', room,
        'session', key, 'generation', generation, 'since', since, 'context', json_build_object('userId', user_id)))) d);
CREATE FUNCTION shop.rooms(key text) RETURNS text LANGUAGE sql
    RETURN (SELECT coalesce(string_agg(u.room || '@' || u.at - 1000000, ' ' ORDER BY u.n), '') FROM _pulse.sessions s, unnest(s.rooms, s.joined_at) WITH ORDINALITY u (room, at, n) WHERE s.key = rooms.key);
-- Of an answer: recovered with its rooms and where they begin, or why not.
CREATE FUNCTION shop.outcome(answer jsonb) RETURNS text LANGUAGE sql
    RETURN CASE WHEN (answer -> 'recovered')::boolean THEN (SELECT string_agg((r ->> 'room') || '@' || (r ->> 'since')::bigint - 1000000, ' ') FROM jsonb_array_elements(answer -> 'rooms') r)
           ELSE coalesce(answer ->> 'mustRefetch', 'new') END;

-- what a connect stores
SELECT is(pulse.handle_connect('/', '{"userId":"ann","sessionId":"k0"}') ->> 'recovered', 'false', 'without a bridge nothing can be recovered');
SELECT is_empty($$SELECT FROM _pulse.sessions$$, 'and nothing is stored');
SELECT throws_ok($$SELECT pulse.handle_connect('/', '{"bridge":"b1"}')$$, 'PL400', 'context.sessionId is missing', 'a stored session has a key');
SELECT throws_ok($$SELECT pulse.handle_connect('/', '{"bridge":"b1","sessionId":"k","pid":7}')$$, 'PL400', 'context.pid is no string', 'a pid is text');
SELECT throws_ok($$SELECT shop.connect_as('k1', claims => '{"refuse":1}')$$, 'PL403', 'go away', 'a connect function refuses');
SELECT is_empty($$SELECT FROM _pulse.sessions$$, 'and then nothing is stored');
SELECT is(shop.connect_as('k1', rooms => '["hall"]') - 'data', '{"rooms":["user:ann","hall"],"position":"00000000000000aa:1000000","recovered":false}', 'a new session is told its rooms by name');
SELECT is((SELECT row(s.user_id, s.namespace, s.socket_id, s.bridge, s.generation, s.epoch, s.position, s.decided_position, s.jti, s.ended_at)::text FROM _pulse.sessions s WHERE s.key = 'k1'),
    row('ann', '/', 'socket of k1', 'b1', 1, '00000000000000aa', 1000000, 1000000, NULL, NULL)::text, 'its row says who, where and since when');
SELECT is((SELECT s.pid_hash = sha256('pid of k1') FROM _pulse.sessions s WHERE s.key = 'k1'), true, 'the secret is kept as a hash alone');
SELECT is(shop.rooms('k1'), 'user:ann@0 hall@0', 'with the rooms and the position of the decision');
SELECT shop.publish();
SELECT is(shop.outcome(shop.connect_as('k1', rooms => '["attic"]')), 'new', 'the bridge may ask again for the same session');
SELECT is(shop.rooms('k1'), 'user:ann@1 attic@1', 'then the new answer counts');
SELECT shop.connect_as('k1', user_id => 'bob');
SELECT is((SELECT s.user_id FROM _pulse.sessions s WHERE s.key = 'k1'), 'ann', 'the row of another user''s session is not touched');

-- joins and leaves
SELECT shop.publish();
SELECT is(shop.join_room('k1', 'order:1'), 'true', 'a join is allowed');
SELECT is(shop.rooms('k1'), 'user:ann@1 attic@1 order:1@2', 'and stored at the position of the decision');
SELECT is(shop.join_room('k1', 'order:77'), 'false', 'a join is refused');
SELECT is(shop.join_room('nobody', 'order:1'), 'true', 'a session that is not stored joins too');
SELECT shop.publish();
SELECT is(shop.join_room('k1', 'order:1'), 'true', 'joined again');
SELECT is(shop.rooms('k1'), 'user:ann@1 attic@1 order:1@2', 'a membership begins once: what was sent since may still be on its way');
SELECT is(shop.join_room('k1', 'order:2', 0), 'false', 'an owner before the last takeover joins nothing more');
SELECT is(shop.rooms('k1'), 'user:ann@1 attic@1 order:1@2', 'and stores nothing');
SELECT is((SELECT count(*)::int FROM pulse.decide((SELECT json_agg(json_build_object('operation', 'join', 'room', 'order:' || n, 'session', 'k1', 'generation', 1, 'context', '{"userId":"ann"}'::json)) FROM generate_series(2, 4) n)) d WHERE d.allowed), 3, 'many joins of one session');
SELECT is(shop.rooms('k1'), 'user:ann@1 attic@1 order:1@2 order:2@3 order:3@3 order:4@3', 'are all stored');
SELECT pulse.bridge_sessions('b1', '[{"key":"k1","leave":"order:2","generation":1},{"key":"k1","leave":"attic"},{"key":"k1","leave":"nowhere"},{"key":"nobody","leave":"order:1"},{"key":"k1","leave":"order:3","generation":0}]');
SELECT is(shop.rooms('k1'), 'user:ann@1 order:1@2 order:3@3 order:4@3', 'leaves take rooms away, but not by an earlier owner');
CREATE FUNCTION shop.moves(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.join('order:5'), pulse.leave('order:4'), pulse.join('order:6'), pulse.leave('order:6'), pulse.leave('order:3'), pulse.join('order:3');
    BEGIN PERFORM pulse.join('order:7'); RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN NULL; END $$;
SELECT pulse.on('moves', 'shop.moves', key => '{id}');
SELECT shop.publish();
SELECT is((SELECT json_array_length(h.effects) FROM pulse.handle('/', 'moves', '[]', '{"userId":"ann","sessionId":"k1","generation":1}') h), 6, 'a handler joins and leaves');
SELECT is(shop.rooms('k1'), 'user:ann@1 order:1@2 order:5@4 order:3@4', 'which is stored in order, but for what it rolled back');
SELECT pulse.handle('/', 'moves', '[{"id":1}]', '{"userId":"ann","sessionId":"nobody"}');
SELECT shop.connect_as('k2');
SELECT pulse.handle('/', 'moves', '[{"id":1}]', '{"userId":"ann","sessionId":"k2"}');
SELECT is(shop.rooms('k2'), 'user:ann@4 order:5@4 order:3@4', 'a retried call stores its joins again');

-- continuing it
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor(1))), 'user:ann@3 order:1@3 order:5@4 order:3@4', 'every room goes on from the cursor, or from where the membership began');
SELECT is((SELECT row(s.generation, s.position - 1000000, s.decided_position - 1000000, s.socket_id, s.ended_at)::text FROM _pulse.sessions s WHERE s.key = 'k1'), row(2, 3, 4, 'socket of k1', NULL)::text, 'the row is the same one, a generation later');
SELECT is_empty($$SELECT FROM _pulse.sessions s WHERE s.key = 'new k1'$$, 'no new session is stored');
SELECT is(shop.come_back('k1', shop.cursor(1)) -> 'session', '{"key":"k1","socketId":"socket of k1","generation":3,"cursor":"00000000000000aa:1000003"}', 'twice in a row; the answer names the session');
SELECT is((SELECT string_agg(DISTINCT g.session_id || ', ' || g.socket_id, '; ') FROM shop.greeted g WHERE g.session_id LIKE '%k1'), 'k1, socket of k1', 'E2: connect functions see the session that goes on');
SELECT shop.publish('hall');
SELECT is(shop.outcome(shop.come_back('k1')), 'user:ann@3 order:1@3 order:5@4 order:3@4', 'without a cursor the one of its last connect is used');
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor(), rooms => '["hall","order:1"]')), 'user:ann@5 order:1@5 order:5@5 order:3@5 hall@5', 'rooms given anew begin now');
SELECT is(shop.rooms('k1'), 'user:ann@1 order:1@2 order:5@4 order:3@4 hall@5', 'and are stored beside the old ones');
SELECT is((SELECT s.pid_hash = sha256('pid of k1') FROM _pulse.sessions s WHERE s.key = 'k1'), true, 'the secret stays');

-- when not
SELECT is(shop.outcome(shop.come_back('k9')), 'unknown', 'unknown pid');
SELECT is((SELECT count(*)::int FROM _pulse.sessions s WHERE s.key = 'new k9' AND s.pid_hash = sha256('pid of new k9')), 1, 'who is not recovered begins a new session');
SELECT is(shop.outcome(shop.connect_as('k3', recover => recover::json)), 'unknown', 'malformed: ' || recover) FROM unnest(ARRAY['{}', '[]', '7', '{"pid":7}']) recover;
SELECT is(pulse.handle_connect('/', '{"sessionId":"k3","bridge":"b1","recover":{"pid":"a\u0000b","cursor":null}}') ->> 'mustRefetch', 'unknown', 'a zero character is no pid');
SELECT is(shop.outcome(shop.come_back('k1', user_id => 'bob')), 'forbidden', 'another user');
SELECT is(shop.outcome(shop.come_back('k1', user_id => NULL)), 'forbidden', 'an anonymous client');
SELECT is(shop.outcome(shop.come_back('k1', namespace => '/desk')), 'unknown', 'another namespace');
SELECT is(shop.outcome(shop.come_back('k1', cursor)), reason, reason || ': ' || cursor) FROM (VALUES ('', 'unknown'), ('rubbish', 'unknown'), ('00000000000000aa:-1', 'unknown'),
    ('00000000000000bb:1', 'foreign_epoch'), (shop.cursor(-1), 'future')) bad (cursor, reason);
SELECT throws_ok($$SELECT shop.come_back('k1', claims => '{"refuse":1}')$$, 'PL403', 'go away', 'a connect function refuses it as any other');
SELECT is((SELECT s.generation FROM _pulse.sessions s WHERE s.key = 'k1'), 5::bigint, 'none of that took it over');
DELETE FROM shop.members m WHERE m.room = 'order:5';
DELETE FROM shop.greeted;
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor(), rooms => '["hall"]')), 'forbidden', 'E2: a right to one of the rooms is gone');
SELECT is((SELECT string_agg(g.session_id, '; ') FROM shop.greeted g), 'new k1', 'what the connect functions did under the old session is rolled back');
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor(), rooms => '["hall","order:5"]')), 'user:ann@5 order:1@5 order:5@5 order:3@5 hall@5', 'a room that connect gives needs no policy');
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor())), 'forbidden', 'one that connect gives no more needs one');
SELECT pulse.bridge_sessions('b1', '[{"key":"k1","leave":"order:5"},{"key":"k1","leave":"hall"}]');

-- its end
SELECT pulse.bridge_sessions('b1', '[{"key":"k1","ended":true,"generation":5}]');
SELECT is((SELECT s.ended_at FROM _pulse.sessions s WHERE s.key = 'k1'), NULL, 'an earlier owner cannot end it');
SELECT pulse.bridge_sessions('b1', '[{"key":"k1","ended":true,"generation":6,"cursor":"x:1"}]');
SELECT isnt((SELECT s.ended_at FROM _pulse.sessions s WHERE s.key = 'k1'), NULL, 'its owner can');
SELECT is((SELECT string_agg(s.session_id, ',' ORDER BY s.session_id) FROM pulse.sessions('ann') s WHERE s.ended_at IS NOT NULL), 'k1', 'pulse.sessions tells it');
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor())), 'user:ann@5 order:1@5 order:3@5', 'an ended session can be continued');
SELECT is((SELECT s.ended_at FROM _pulse.sessions s WHERE s.key = 'k1'), NULL, 'then it is connected again');
UPDATE _pulse.sessions SET ended_at = clock_timestamp() - interval '121 seconds' WHERE key = 'k1';
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor())), 'expired', 'but for two minutes only');
SELECT is_empty($$SELECT FROM pulse.sessions('ann') s WHERE s.session_id = 'k1'$$, 'then nobody sees it');
SELECT pulse.configure('pulse', 'recovery_window', '3 minutes');
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor())), 'user:ann@5 order:1@5 order:3@5', 'the setting says how long');
SELECT throws_ok($$SELECT pulse.configure('pulse', 'recovery_window', 'rubbish')$$, '22023', 'setting pulse.recovery_window cannot be "rubbish"', 'what is no time is refused');
UPDATE _pulse.sessions SET ended_at = clock_timestamp() - interval '1 minute' WHERE key = 'k1';
SELECT is(shop.outcome(shop.come_back('k1', shop.cursor())), 'user:ann@5 order:1@5 order:3@5', 'and the one before counts on');
SELECT pulse.configure('pulse', 'recovery_window', NULL);
SELECT pulse.bridge_sessions('b1', '[{"key":"k1","ended":true,"forget":true,"generation":8}]');
SELECT isnt_empty($$SELECT FROM _pulse.sessions s WHERE s.key = 'k1'$$, 'an earlier owner cannot make it forgotten');
SELECT pulse.bridge_sessions('b1', '[{"key":"k1","ended":true,"forget":true,"generation":9}]');
SELECT is_empty($$SELECT FROM _pulse.sessions s WHERE s.key = 'k1'$$, 'a session that its client ended is forgotten');
SELECT throws_ok(format('SELECT pulse.bridge_sessions(%L, %L)', 'b1', changes), 'PL400', message, changes) FROM (VALUES ('{}', 'changes is no JSON array'), ('[7]', 'a change has no key'),
    ('[{"key":"k"}]', 'a change is none of leave, untrack, lease, idle and ended'), ('[{"key":"k","leave":7}]', 'leave is no string'), ('[{"key":"k","ended":false}]', 'a change is none of leave, untrack, lease, idle and ended')) bad (changes, message);

-- bridges that are gone
SELECT is((SELECT b.name FROM _pulse.bridges b WHERE b.id = 'b1'), current_setting('application_name'), 'a bridge is known by its report');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() + interval '1 minute' WHERE id = 'b1';
SELECT pulse.bridge_sessions('b1', '[]');
SELECT cmp_ok((SELECT b.seen_at FROM _pulse.bridges b WHERE b.id = 'b1'), '>', clock_timestamp(), 'a report is not written down when another one was just before');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() - interval '3 seconds' WHERE id = 'b1';
SELECT pulse.bridge_sessions('b1', '[]');
SELECT cmp_ok((SELECT b.seen_at FROM _pulse.bridges b WHERE b.id = 'b1'), '>', clock_timestamp() - interval '3 seconds', 'but every other second');
DELETE FROM _pulse.sessions;
SELECT shop.connect_as('k4', bridge => 'b4');
SELECT pulse.bridge_sessions('b4', '[]');
UPDATE _pulse.epochs SET opened_at = clock_timestamp() - interval '1 day';
UPDATE _pulse.bridges SET seen_at = clock_timestamp() - interval '10 seconds';
SELECT is((SELECT s.ended_at FROM pulse.sessions('ann') s), NULL, 'a bridge may be silent for a while');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() - interval '16 seconds' WHERE id = 'b4';
SELECT is((SELECT s.ended_at FROM pulse.sessions('ann') s), (SELECT b.seen_at FROM _pulse.bridges b WHERE b.id = 'b4'), 'the sessions of one that is gone ended when it was last heard of');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() - interval '3 minutes' WHERE id = 'b4';
SELECT is(shop.outcome(shop.come_back('k4', shop.cursor(), bridge => 'b5')), 'expired', 'and can be continued as long as any');
UPDATE _pulse.epochs SET opened_at = clock_timestamp() - interval '1 second';
SELECT is((SELECT s.ended_at FROM pulse.sessions('ann') s WHERE s.session_id = 'k4'), NULL, 'after the server''s start bridges have time to report');
UPDATE _pulse.epochs SET opened_at = clock_timestamp() - interval '1 day';
SELECT is(_pulse.forget_sessions(100), 0, 'a bridge that is cut off may have its sessions still: they are kept');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() - interval '63 minutes' WHERE id = 'b4';
SELECT is(_pulse.forget_sessions(100), 1, 'but not for ever');
SELECT is((SELECT string_agg(s.key, ',') FROM _pulse.sessions s), 'new k4', 'and no others');
SELECT is_empty($$SELECT FROM _pulse.bridges b WHERE b.id = 'b4'$$, 'with their bridge');
SELECT isnt_empty($$SELECT FROM _pulse.bridges b WHERE b.id = 'b5'$$, 'a bridge that has not reported yet is taken for alive');
SELECT count(shop.connect_as('many ' || n)) FROM generate_series(1, 5) n;
UPDATE _pulse.sessions SET ended_at = clock_timestamp() - interval '5 minutes' WHERE key LIKE 'many%';
SELECT is(_pulse.forget_sessions(3) || ' ' || _pulse.forget_sessions(3) || ' ' || _pulse.forget_sessions(3), '3 2 0', 'in batches');

INSERT INTO _pulse.bridges (id, name) VALUES ('b9', 'b9');
SELECT shop.connect_as('swept', bridge => 'b9');
UPDATE _pulse.sessions SET ended_at = clock_timestamp() - interval '5 minutes' WHERE key = 'swept';
-- The ten seconds must not end meanwhile.
SELECT pg_sleep(10 - past) FROM (SELECT extract(epoch FROM clock_timestamp()) % 10 AS past) x WHERE past > 7;
UPDATE _pulse.bridges SET seen_at = greatest(date_bin('10 seconds', clock_timestamp(), 'epoch'), clock_timestamp() - interval '3 seconds') WHERE id = 'b9';
SELECT pulse.bridge_sessions('b9', '[]');
SELECT isnt_empty($$SELECT FROM _pulse.sessions s WHERE s.key = 'swept'$$, 'a report does not always look for old sessions');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() - interval '11 seconds' WHERE id = 'b9';
SELECT pulse.bridge_sessions('b9', '[]');
SELECT is_empty($$SELECT FROM _pulse.sessions s WHERE s.key = 'swept'$$, 'but every ten seconds');

-- the bridge that had it
CREATE FUNCTION shop.takeovers() RETURNS text LANGUAGE sql RETURN (SELECT string_agg(e.rooms::text || e.payload::text, ' ' ORDER BY e.id) FROM pulse.events e WHERE e.xid = pg_current_xact_id() AND e.name = 'pulse:takeover' AND e.payload ->> 'key' = 'k7');
SELECT shop.connect_as('k7');
SELECT shop.come_back('k7');
SELECT is(shop.takeovers(), NULL, 'a bridge that takes its own session over is told nothing');
SELECT shop.come_back('k7', bridge => 'b2');
SELECT is(shop.takeovers(), '{pulse:system}{"key":"k7","generation":3}', 'another one is told to end its connection');
SELECT pulse.bridge_sessions('b2', '[{"key":"k7","ended":true,"generation":3}]');
SELECT shop.come_back('k7', bridge => 'b1');
SELECT is(shop.takeovers(), '{pulse:system}{"key":"k7","generation":3}', 'but not when it has ended it itself');
INSERT INTO _pulse.bridges (id, name, seen_at) VALUES ('b1', 'b1', clock_timestamp() - interval '20 seconds') ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at;
SELECT shop.come_back('k7', bridge => 'b2');
SELECT is(shop.takeovers(), '{pulse:system}{"key":"k7","generation":3} {pulse:system}{"key":"k7","generation":5}', 'E6: also one that was silent for so long that it is taken for dead: it may live');
UPDATE _pulse.bridges SET seen_at = clock_timestamp() WHERE id = 'b1';

-- the order in which clients came, not that in which they are served
CREATE FUNCTION shop.back_at(arrived_at bigint) RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', a ->> 'recovered', a ->> 'mustRefetch', a -> 'session' ->> 'generation') FROM pulse.handle_connect('/', json_build_object('userId', 'ann', 'sessionId', 'n8 ' || arrived_at, 'bridge', 'b1', 'pid', 'pid of n8 ' || arrived_at,
        'arrivedAt', arrived_at, 'recover', json_build_object('pid', 'pid of n8 1000'))) a);
SELECT shop.back_at(1000);
SELECT is(shop.back_at(999), 'false unknown', 'who came before the connection that has the session comes too late');
SELECT is(shop.back_at(1000), 'true 2', 'the same one may ask again');
SELECT is(shop.back_at(2000), 'true 3', 'who came later takes over');
SELECT is(shop.back_at(1500), 'false unknown', 'and has it, when one from before is served after it');
SELECT is((SELECT s.generation || ' ' || s.arrived_at FROM _pulse.sessions s WHERE s.key = 'n8 1000'), '3 2000', 'which changes nothing');
SELECT is(shop.back_at(3000000), 'true 4', 'a bridge whose clock is far ahead');
SELECT is(shop.back_at(2900000), 'false unknown', 'no call waits for two minutes');
SELECT is(shop.back_at(2800000), 'true 5', 'so who seems to come from before that has another clock, and goes on');

-- a newer token on a live connection
CREATE FUNCTION shop.refresh(key text, rooms text, give text DEFAULT '[]', user_id text DEFAULT 'ann', generation bigint DEFAULT 1, claims json DEFAULT '{}') RETURNS json LANGUAGE sql
    RETURN pulse.handle_refresh('/', json_build_object('userId', user_id, 'sessionId', key, 'generation', generation, 'rooms', rooms::json, 'claims', claims::jsonb || jsonb_build_object('rooms', give::jsonb)));
CREATE FUNCTION shop.row(key text) RETURNS text LANGUAGE sql RETURN (SELECT concat_ws(' ', array_to_string(s.rooms, ','), s.jti, s.data) FROM _pulse.sessions s WHERE s.key = $1);
SELECT pulse.handle_connect('/', '{"userId":"ann","sessionId":"r1","socketId":"s","bridge":"b1","pid":"p of r1","device":"phone","claims":{"jti":"old","rooms":["given","gone"]}}');
SELECT is((SELECT s.device FROM pulse.sessions('ann') s WHERE s.session_id = 'r1'), 'phone', 'M8: pulse.sessions tells the device');
SELECT shop.join_room('r1', 'order:1', 1), shop.join_room('r1', 'order:2', 1);
DELETE FROM shop.members WHERE room = 'order:2';
SELECT is(shop.refresh('r1', '["user:ann","given","gone","order:1","order:2"]', '["given","new"]', claims => '{"jti":"young"}')::jsonb - 'position', '{"left":["gone","order:2"],"joined":["new"]}',
    'S2: connect functions and policies decide again about every room');
SELECT is(shop.row('r1'), 'user:ann,given,order:1,new young', 'S2: the session''s row has it, and the new token''s id');
SELECT is((SELECT count(*)::int FROM shop.greeted g WHERE g.session_id = 'r1'), 2, 'S2: connect functions run for the session itself');
SELECT throws_ok($$SELECT shop.refresh('r1', '["given"]', claims => '{"refuse":1}')$$, 'PL403', 'go away', 'S2: one that refuses refuses the token');
SELECT is(shop.row('r1'), 'user:ann,given,order:1,new young', 'S2: and nothing has changed');
SELECT throws_ok($$SELECT shop.refresh('r1', '["given"]', generation => 0)$$, 'PL403', 'the session has gone to another connection', 'S2: an old connection has no say');
SELECT is(shop.refresh('nobody', '["user:ann","order:1"]')::jsonb - 'position', '{"left":[],"joined":[]}', 'S2: a session whose row was lost is decided all the same');
SELECT throws_ok($$SELECT shop.refresh('r1', '["user:bob"]', user_id => 'bob')$$, 'PL403', 'the session is another user''s', 'S2: another user''s token refreshes nothing');
SELECT is(shop.row('r1'), 'user:ann,given,order:1,new young', 'S2: nothing is written to the row');
SELECT pulse.revoke(jti => 'young');
SELECT throws_ok($$SELECT shop.refresh('r1', '["given"]', claims => '{"jti":"young"}')$$, 'PL401', 'the token is revoked', 'S2: a revoked token refreshes nothing');
SELECT throws_ok(format('SELECT pulse.handle_refresh(%L, %L)', '/', context), 'PL400', NULL, 'S2: malformed: ' || context) FROM unnest(ARRAY['{}', '{"sessionId":"r1"}', '{"sessionId":"r1","rooms":[1]}', '{"sessionId":"r1","rooms":{}}']) context;
SELECT throws_ok($$SELECT pulse.handle_refresh('/nowhere', '{"sessionId":"r1","rooms":[]}')$$, 'PL404', 'Invalid namespace', 'S2: an unknown namespace');

-- what it costs, however small the tables are when plans are made: looks into indexes, and joins that stay on their page
CREATE FUNCTION shop.scans() RETURNS TABLE (scans bigint, hot bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT sum(t.seq_scan)::bigint, (sum(t.n_tup_hot_upd) FILTER (WHERE t.relname = 'sessions'))::bigint FROM pg_stat_xact_all_tables t
        WHERE t.schemaname = '_pulse' AND t.relname ~ '^(sessions|revocations|deliveries_.|events_.)$';
END $$;
ANALYZE _pulse.sessions, _pulse.revocations, pulse.deliveries, pulse.events;
CREATE TEMP TABLE before AS SELECT * FROM shop.scans();
SELECT shop.connect_as('k6');
SELECT shop.join_room('k6', 'order:1', since => shop.cursor());
SELECT shop.join_room('k6', 'order:1');
SELECT is((SELECT s.scans - b.scans FROM shop.scans() s, before b) || ' ' || (SELECT s.hot - b.hot FROM shop.scans() s, before b), '0 1', 'a connect and a join read no table through; a join moves nothing');
SELECT shop.come_back('k6');
SELECT pulse.bridge_sessions('b1', '[{"key":"k6","leave":"order:1"},{"key":"k6","ended":true}]');
SELECT is((SELECT s.scans - b.scans FROM shop.scans() s, before b), 0::bigint, 'neither do a recovery and a report');

SELECT * FROM finish();
ROLLBACK;
