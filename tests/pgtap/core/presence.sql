-- E3: presence: who is in a room, with which state, since when; each join has one leave, whatever sessions come and go.
BEGIN;
SELECT plan(69);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
-- Handlers: [room, state?, ttl?, announce?].
CREATE FUNCTION shop.track(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.track(args ->> 0, coalesce(args -> 1, '{}'), (args ->> 2)::interval, coalesce((args ->> 3)::boolean, true));
    RETURN NULL;
END $$;
CREATE FUNCTION shop.untrack(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.untrack(args ->> 0); RETURN NULL; END $$;
CREATE FUNCTION shop.leave(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.leave(args ->> 0); RETURN NULL; END $$;
CREATE FUNCTION shop.regret(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM pulse.track('regret');
        RAISE 'no';
    EXCEPTION WHEN raise_exception THEN
        PERFORM pulse.track('after');
    END;
    RETURN NULL;
END $$;
CREATE FUNCTION shop.who(args json) RETURNS json LANGUAGE sql AS $$ SELECT json_agg(p.user_id ORDER BY p.user_id) FROM pulse.presence(args ->> 0) p $$;
CREATE FUNCTION shop.seen(args json) RETURNS json LANGUAGE sql AS $$ SELECT to_json(pulse.last_seen(args ->> 0) IS NOT NULL) $$;
CREATE FUNCTION shop.greet(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.track('lobby', '{"hello":true}');
    RETURN NULL;
END $$;
SELECT pulse.on('track', 'shop.track'), pulse.on('untrack', 'shop.untrack'), pulse.on('leave', 'shop.leave'), pulse.on('regret', 'shop.regret'), pulse.on('who', 'shop.who'),
       pulse.on('seen', 'shop.seen'), pulse.on('once', 'shop.track', key => '{n}'), pulse.namespace('/lobby', 'shop.greet');
CREATE FUNCTION shop.yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true;

CREATE FUNCTION shop.call(event text, args text, user_id text DEFAULT 'ann', session text DEFAULT 'a1', generation bigint DEFAULT NULL) RETURNS json LANGUAGE sql
    RETURN (SELECT h.effects FROM pulse.handle('/', event, args::json, json_strip_nulls(json_build_object('userId', user_id, 'sessionId', session, 'generation', generation))) h);
CREATE FUNCTION shop.connect(session text, user_id text DEFAULT 'ann', namespace text DEFAULT '/', bridge text DEFAULT 'b1', recover json DEFAULT NULL) RETURNS json LANGUAGE sql
    RETURN pulse.handle_connect(namespace, json_strip_nulls(json_build_object('userId', user_id, 'sessionId', session, 'socketId', 's', 'bridge', bridge, 'pid', 'pid of ' || session, 'recover', recover)));
-- What was announced in a room since the last call.
CREATE TABLE shop.told (id bigint);
INSERT INTO shop.told VALUES (0);
CREATE FUNCTION shop.events(room text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    v_events text[];
BEGIN
    SELECT array_agg(split_part(e.name, ':', 2) || ' ' || concat_ws(' ', e.payload ->> 'userId', e.payload ->> 'state') ORDER BY e.id) INTO v_events
        FROM pulse.events e WHERE e.rooms = ARRAY[events.room] AND e.id > (SELECT max(id) FROM shop.told);
    INSERT INTO shop.told SELECT coalesce(max(e.id), 0) FROM pulse.events e;
    RETURN coalesce(v_events, '{}');
END $$;
CREATE FUNCTION shop.there(room text) RETURNS text[] LANGUAGE sql AS $$ SELECT coalesce(array_agg(concat_ws(' ', p.user_id, p.state, p.sessions) ORDER BY p.user_id), '{}') FROM pulse.presence(room) p $$;
CREATE FUNCTION shop.pass(much interval) RETURNS void LANGUAGE sql BEGIN ATOMIC
    UPDATE _pulse.leases SET tracked_at = tracked_at - much, expires_at = expires_at - much, gone_at = gone_at - much, due_at = due_at - much;
    UPDATE _pulse.sessions SET ended_at = ended_at - much;
END;

INSERT INTO _pulse.lease_bridges (bridge, complete) VALUES ('', true) ON CONFLICT (bridge) DO NOTHING;

-- one session
SELECT is(shop.call('track', '["r","on"]')::text, '[{"track":{"room":"r","state":"on","ttl":null,"announce":true}}]', 'E3: the bridge hears what it has to keep');
SELECT is(shop.events('r'), ARRAY['join ann on'], 'E3: the first session joins');
SELECT shop.call('track', '["r","off"]');
SELECT is(shop.events('r'), ARRAY['update ann off'], 'E3: a new state is an update, never leave and join');
SELECT shop.call('track', '["r", "off"]');
SELECT is(shop.events('r'), '{}', 'the same state again announces nothing');
SELECT shop.call('track', '["r","silent",null,"false"]');
SELECT is(shop.events('r'), '{}', 'announce => false says nothing');
SELECT is(shop.there('r'), ARRAY['ann "silent" 1'], 'but counts');
SELECT is(shop.call('untrack', '["r"]')::text, '[{"untrack":"r"}]', 'the bridge hears of untrack');
SELECT is(shop.events('r'), ARRAY['leave ann'], 'E3: untrack leaves at once');
SELECT is(shop.there('r'), '{}', 'and nobody is there');
SELECT ok((SELECT l.at > now() - interval '1 minute' FROM _pulse.last_seen l WHERE l.user_id = 'ann'), 'E3: last seen is stored');
SELECT ok(pulse.last_seen('ann') IS NOT NULL AND pulse.last_seen('nobody') IS NULL, 'and read');
SELECT shop.call('untrack', '["r"]');
SELECT is(shop.events('r'), '{}', 'untrack of nothing is fine');

-- several sessions, several users
SELECT shop.call('track', '["r",{"n":1}]', session => 'a1'), shop.call('track', '["r",{"n":2}]', session => 'a2'), shop.call('track', '["r",{"n":3}]', 'bob', 'b1');
SELECT is(shop.events('r'), ARRAY['join ann {"n":1}', 'update ann {"n":2}', 'join bob {"n":3}'], 'E3: a second session of a user is no second join');
SELECT is(shop.there('r'), ARRAY['ann {"n":2} 2', 'bob {"n":3} 1'], 'the newest state of a user counts');
SELECT is(pulse.presence_count('r'), 2::bigint, 'users are counted, not sessions');
SELECT shop.call('untrack', '["r"]', session => 'a2');
SELECT is(shop.events('r'), ARRAY['update ann {"n":1}'], 'the state of the session that stays comes back');
SELECT shop.call('untrack', '["r"]', session => 'a1'), shop.call('untrack', '["r"]', 'bob', 'b1');
SELECT is(shop.events('r'), ARRAY['leave ann', 'leave bob'], 'E3: the last session leaves');
SELECT shop.call('track', '["r",1,null,"false"]'), shop.call('untrack', '["r"]');
SELECT is(shop.events('r'), '{}', 'who came without an event leaves without one');
SELECT shop.call('track', '["r",1,null,"false"]'), shop.call('track', '["r",1]');
SELECT is(shop.events('r'), ARRAY['join ann 1'], 'being announced later is a join');
SELECT shop.call('leave', '["r"]');
SELECT is(shop.events('r'), ARRAY['leave ann'], 'who leaves a room is not present there any more');

-- handlers
SELECT shop.call('regret', '[]');
SELECT is(shop.there('regret') || shop.there('after'), ARRAY['ann {} 1'], 'what was rolled back is not tracked');
SELECT shop.call('once', '["q"]'), shop.call('untrack', '["q"]');
SELECT throws_ok($$SELECT shop.call('who', '["after"]')$$, 'PL403', NULL, 'E3: in a call the presence policy is asked');
SELECT pulse.policy('after', 'presence', 'shop.yes');
SELECT is((SELECT ack::text FROM pulse.handle('/', 'who', '["after"]', '{"userId":"bob"}')), '["ann"]', 'E3: and allows');
SELECT is((SELECT ack::text FROM pulse.handle('/', 'seen', '["ann"]', '{"userId":"bob"}')), '[true]', 'handlers read when somebody was last seen');
SELECT throws_ok($$SELECT pulse.handle('/', 'track', '["r"]', '{"sessionId":"x"}')$$, 'PL401', 'an anonymous client cannot be present', 'anonymous clients are not present');
SELECT throws_ok($$SELECT shop.call('track', '["pulse:system"]')$$, '22023', NULL, 'the engine''s own rooms are refused');
SELECT throws_ok($$SELECT shop.call('track', '[""]')$$, '22023', NULL, 'and what is no room');
SELECT throws_ok($$SELECT shop.call('track', '["r",1,"0 s"]')$$, '22023', NULL, 'and a ttl of nothing');
SELECT throws_ok($$SELECT shop.call('track', json_build_array('r', repeat('x', 70000))::text)$$, '54000', NULL, 'and a state that no bridge can keep');
SELECT throws_ok($$SELECT pulse.track('r')$$, '55000', 'pulse.track works only in a handler', 'outside of handlers it is refused');

-- sessions that end, with and without coming back
SELECT shop.connect('c1', 'cat'), shop.call('track', '["r","here"]', 'cat', 'c1', 1);
SELECT is(shop.events('r'), ARRAY['join cat here'], 'a session with a row joins');
SELECT matches(pulse.bridge_sessions('b1', '[{"key":"c1","generation":1,"ended":true}]')::text, '^{"leases":"[0-9a-f-]{36}"}$', 'a bridge that has not written its leases is asked for them');
SELECT is(shop.there('r'), ARRAY['cat "here" 0'], 'E3: within the grace the user is there');
SELECT _pulse.sweep_leases(100);
SELECT is(shop.events('r'), '{}', 'E3: and no leave is said');
SELECT is(shop.call('track', '["r","late"]', 'cat', 'c1', 1) IS NOT NULL AND shop.there('r') = ARRAY['cat "here" 0'], true, 'a handler that ends after its session does not bring it back');
SELECT shop.connect('c2', 'cat', bridge => 'b2'), shop.call('track', '["r","here"]', 'cat', 'c2', 1), shop.pass('11 s'), _pulse.sweep_leases(100);
SELECT is(shop.events('r'), '{}', 'E3: a new session within the grace: nothing to say');
SELECT is(shop.there('r'), ARRAY['cat "here" 1'], 'the old lease is over');
SELECT pulse.bridge_sessions('b2', '[{"key":"c2","generation":1,"ended":true,"forget":true}]'), shop.pass('11 s'), _pulse.sweep_leases(100);
SELECT is(shop.events('r'), ARRAY['leave cat'], 'E3: longer than the grace: the user leaves');
SELECT is(shop.there('r'), '{}', 'and is not there');
SELECT is((SELECT count(*) FROM _pulse.leases l WHERE l.user_id = 'cat' AND NOT l.lapsed), 0::bigint, 'no lease counts');
SELECT pulse.configure('pulse', 'presence_grace', '1 hour');
SELECT shop.connect('d1', 'dan'), shop.call('track', '["r","here"]', 'dan', 'd1', 1), shop.events('r'),
       pulse.bridge_sessions('b1', '[{"key":"d1","generation":1,"ended":true}]'), shop.pass('11 s'), _pulse.sweep_leases(100);
SELECT is(shop.events('r'), '{}', 'pulse.presence_grace is a setting');
SELECT pulse.configure('pulse', 'presence_grace', NULL), _pulse.lapse_leases('dan'), shop.pass('1 hour'), _pulse.sweep_leases(100);
SELECT is(shop.events('r'), ARRAY['leave dan'], 'effective at the next look');

-- a session whose row is lost: whether it lives only its bridge can say
SELECT is(shop.call('track', '["lost","here"]', 'ian', 'i1', 1)::text, '[{"track":{"room":"lost","state":"here","ttl":null,"announce":true}},{"unstored":["lost"]}]', 'E3: the bridge is asked to write the lease of a session that is not stored');
SELECT is(shop.there('lost'), '{}', 'until then it is not there: it may have ended');
SELECT pulse.bridge_sessions('b1', '[{"key":"i1","generation":1,"lease":{"room":"lost","userId":"ian","state":"here","ttl":null,"announce":true,"age":5}}]');
SELECT is(shop.events('lost'), ARRAY['join ian here'], 'E3: it lives, so it is present');
SELECT is(shop.call('track', '["lost","away"]', 'ian', 'i1', 1)::text, '[{"track":{"room":"lost","state":"away","ttl":null,"announce":true}}]', 'and from then on it goes on like any');
SELECT is(shop.events('lost'), ARRAY['update ian away'], 'E3: with updates');
SELECT shop.call('track', '["lost","other"]', 'ian', 'i2');
SELECT pulse.bridge_sessions('b1', '[{"key":"i3","generation":1,"lease":{"room":"lost","userId":"ian","state":"third","ttl":null,"announce":true,"age":0,"fresh":true}}]');
SELECT is(shop.events('lost'), ARRAY['update ian other', 'update ian third'], 'E3: what was tracked just now is announced, beside another session of the user, too');
SELECT pulse.bridge_sessions('b1', '[{"key":"i1","generation":1,"ended":true},{"key":"i3","generation":1,"ended":true}]'), shop.call('untrack', '["lost"]', 'ian', 'i2'), shop.pass('11 s'), _pulse.sweep_leases(100);
SELECT is(shop.events('lost'), ARRAY['leave ian'], 'and ends like any');

-- leaving the room, as bridges say it
SELECT shop.connect('e1', 'eve'), shop.call('track', '["r","here"]', 'eve', 'e1', 1), shop.events('r');
SELECT pulse.bridge_sessions('b1', '[{"key":"e1","generation":1,"leave":"r"}]'), _pulse.sweep_leases(100);
SELECT is(shop.events('r'), ARRAY['leave eve'], 'E3: who leaves the room, or is put out of it, leaves without grace');
SELECT matches(pulse.bridge_sessions('b1', '[{"leasesComplete":"another"}]')::text, '^{"leases":"', 'a bridge that wrote its leases before another crash is not complete');
SELECT is(pulse.bridge_sessions('b1', json_build_array(json_build_object('leasesComplete', pulse.bridge_sessions('b1', '[]') ->> 'leases')))::text, '{"leases":null}', 'a bridge that has written its leases is left alone');

-- a time to live
SELECT shop.call('track', '["t",1,"30 min"]', 'fay', 'f1'), shop.events('t'), shop.pass('29 min'), _pulse.sweep_leases(100);
SELECT is(shop.events('t'), '{}', 'S5: within its ttl somebody is there');
SELECT pulse.bridge_sessions('b1', '[{"key":"f1","idle":60000}]'), shop.pass('28 min'), _pulse.sweep_leases(100);
SELECT is(shop.events('t'), '{}', 'S5: activity renews it');
SELECT shop.pass('2 min'), _pulse.sweep_leases(100);
SELECT is(shop.events('t'), ARRAY['leave fay'], 'S5: and then it ends');
SELECT ok((SELECT l.at < clock_timestamp() - interval '29 min' FROM _pulse.last_seen l WHERE l.user_id = 'fay'), 'last seen is when the activity was');

-- after a crash: the leases are gone, bridges write them
SELECT shop.call('track', '["k",{"n":1}]', 'gus', 'g1'), shop.events('k');
DELETE FROM _pulse.leases;
DELETE FROM _pulse.lease_bridges WHERE bridge <> '';
SELECT is(shop.there('k'), ARRAY['gus 0'], 'E3: after a crash the users are still there');
SELECT pulse.bridge_sessions('b1', '[{"key":"g1","generation":1,"lease":{"room":"k","userId":"gus","state":{"n":1},"ttl":null,"announce":true,"age":5000}}]');
SELECT is(shop.events('k'), '{}', 'E3: a lease that is written again is no join');
SELECT is(shop.there('k'), ARRAY['gus {"n":1} 1'], 'and the state is there again');

-- many at once
CREATE FUNCTION shop.swept() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_done integer := _pulse.sweep_leases(100);
BEGIN
    RETURN v_done || ' ' || pulse.presence_count('many');
END $$;
SELECT count(shop.call('track', '["many",1,"1 s"]', 'user ' || n, 's' || n)) FROM generate_series(1, 250) n;
SELECT shop.pass('1 min');
SELECT is(ARRAY[shop.swept(), shop.swept(), shop.swept(), shop.swept()], '{100 150,100 50,50 0,0 0}', 'E3: a sweep ends a bounded number of leases, the next ones the rest');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT e.xmin::text) FROM pulse.events e WHERE e.rooms = '{many}' AND e.name = 'presence:leave'), '250 3', 'E3: all of a sweep in one subtransaction');
SELECT count(shop.call('track', '["many",1,"1 s"]', 'user ' || n, 's' || n)) FROM generate_series(1, 3) n;
UPDATE _pulse.leases SET room = repeat('x', 300) WHERE user_id = 'user 2';
UPDATE _pulse.presences SET room = repeat('x', 300) WHERE user_id = 'user 2';
SELECT shop.pass('1 min');
SET LOCAL client_min_messages = error;
SELECT is(shop.swept(), '2 0', 'E3: one user whose leave cannot be said keeps no others');
RESET client_min_messages;
SELECT ok((SELECT l.due_at > clock_timestamp() + interval '30 s' FROM _pulse.leases l WHERE l.user_id = 'user 2'), 'and is tried again later');

-- connect functions
SELECT is(shop.connect('h1', 'hal', '/lobby') ->> 'effects', '[{"track":{"room":"lobby","state":{"hello":true},"ttl":null,"announce":true}}]', 'connect functions track, too');
SELECT is(shop.events('lobby'), ARRAY['join hal {"hello":true}'], 'and that is announced');
SELECT pulse.bridge_sessions('b1', '[{"key":"h1","generation":1,"ended":true}]'), shop.pass('11 s'), _pulse.sweep_leases(100);
SELECT is(shop.events('lobby'), ARRAY['leave hal'], 'gone for longer than the grace, but its session can be continued');

-- rights
SET LOCAL ROLE pulse_client;
SELECT throws_ok($$SELECT pulse.presence('r')$$, '42501', NULL, 'outside of a call presence takes a role');
SELECT throws_ok($$SELECT pulse.last_seen('ann')$$, '42501', NULL, 'last_seen, too');
SET LOCAL ROLE pulse_publisher;
SELECT lives_ok($$SELECT p.*, pulse.last_seen(p.user_id), pulse.presence_count('after') FROM pulse.presence('after') p$$, 'pulse_publisher reads it');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
