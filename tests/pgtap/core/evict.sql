-- pulse.evict and pulse.revoke: what they write, whom they keep out, and that no recovery reaches over them.
BEGIN;
SELECT plan(77);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
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
    RETURN shop.head() - 1000000;
END $$;
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_hint text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN v_hint <> '' THEN ' / ' || v_hint ELSE '' END;
END $$;
CREATE FUNCTION shop.event(id bigint) RETURNS pulse.events LANGUAGE plpgsql AS $$ DECLARE v_event pulse.events; BEGIN SELECT * INTO v_event FROM pulse.events e WHERE e.id = event.id; RETURN v_event; END $$;
CREATE FUNCTION shop.yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true;
SELECT pulse.policy('order:{id}', 'join', 'shop.yes'), pulse.policy('order:{id}', 'history', 'shop.yes'), pulse.policy('hall', 'join', 'shop.yes');
CREATE FUNCTION shop.connect_as(key text, user_id text DEFAULT 'ann', claims json DEFAULT '{}', recover json DEFAULT NULL) RETURNS jsonb LANGUAGE sql
    RETURN pulse.handle_connect('/', json_strip_nulls(json_build_object('userId', user_id, 'sessionId', key, 'socketId', 's', 'bridge', 'b1', 'pid', 'pid of ' || key, 'claims', claims, 'recover', recover)))::jsonb;
CREATE FUNCTION shop.come_back(key text, cursor bigint, user_id text DEFAULT 'ann', claims json DEFAULT '{}') RETURNS text LANGUAGE sql
    RETURN (SELECT CASE WHEN (a -> 'recovered')::boolean THEN (SELECT string_agg((r ->> 'room') || '@' || (r ->> 'since')::bigint - 1000000, ' ') FROM jsonb_array_elements(a -> 'rooms') r) ELSE a ->> 'mustRefetch' END
            FROM shop.connect_as('new ' || key, user_id, claims, json_build_object('pid', 'pid of ' || key, 'cursor', '00000000000000aa:' || 1000000 + cursor)) a);
CREATE FUNCTION shop.join_room(key text, room text, since bigint DEFAULT NULL, user_id text DEFAULT 'ann', claims json DEFAULT '{}') RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', d.allowed::text, d.recovered::text, d.must_refetch, d.since - 1000000) FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', room,
        'session', key, 'since', '00000000000000aa:' || 1000000 + since, 'context', json_build_object('userId', user_id, 'claims', claims)))) d);
CREATE FUNCTION shop.rooms(key text) RETURNS text LANGUAGE sql
    RETURN (SELECT coalesce(string_agg(u.room || '@' || u.at - 1000000, ' ' ORDER BY u.n), '') FROM _pulse.sessions s, unnest(s.rooms, s.joined_at) WITH ORDINALITY u (room, at, n) WHERE s.key = rooms.key);

-- reserved rooms
SELECT is(shop.error_of(statement), '22023 room name "pulse:system" is reserved / Rooms that begin with pulse: are the engine''s own; any other name is accepted.', statement)
    FROM unnest(ARRAY[$$SELECT pulse.publish('pulse:system', 'pulse:evict', '{}'::json)$$, $$SELECT pulse.publish(ARRAY['a', 'pulse:system'], 'x', '{}'::json)$$, $$SELECT pulse.evict('pulse:system')$$]) statement;
SELECT pulse.policy('{a}:{b}', 'join', 'shop.yes');
SELECT is((SELECT d.reason FROM pulse.decide('[{"operation":"join","room":"pulse:system","context":{}}]') d), 'room name "pulse:system" is reserved', 'nobody joins one, whatever the policies say');
SELECT pulse.drop_policy('{a}:{b}', 'join');
CREATE TABLE shop.things (room text);
SELECT matches(shop.error_of($$SELECT pulse.watch('shop.things', 'x', ARRAY['pulse:{room}'])$$), 'room name "pulse:" is reserved', 'no watch publishes to one');

-- what evict writes
SELECT is(shop.error_of('SELECT pulse.evict(' || args || ')'), message, 'evict(' || args || ')') FROM (VALUES ('NULL', '22004 room is null'), ('''''', '22023 room name is empty / A room name has 1 to 255 bytes and no control characters.'),
    ('''a'', ''''', '22023 user_id is empty / user_id has 1 to 255 bytes.'), ('''a'', ''ann'', ''''', '22023 reason is empty / reason has 1 to 255 bytes.')) bad (args, message);
SELECT is((SELECT row(e.name, e.rooms, e.payload::text, e.headers::text)::text FROM shop.event(pulse.evict('order:1', 'a:b "q"', 'sold')) e),
    row('pulse:evict', ARRAY['pulse:system', 'pulse:evictions', 'pulse:user:a%3Ab "q"'], '{"room":"order:1","userId":"a:b \"q\"","reason":"sold"}', '{}')::text, 'an eviction of a user');
SELECT is((SELECT row(e.name, e.rooms, e.payload::text)::text FROM shop.event(pulse.evict('order:1')) e),
    row('pulse:evict', ARRAY['pulse:system', 'pulse:evictions', 'pulse:room:order%3A1'], '{"room":"order:1","userId":null,"reason":null}')::text, 'an eviction of everybody');
SELECT is((SELECT octet_length(e.rooms[3]) <= 255 AND e.rooms[3] LIKE 'pulse:user:\%%' FROM shop.event(pulse.evict('order:1', repeat(':', 255))) e), true, 'a long name is shortened');
SELECT shop.dispatch();

-- over the log: user:ann@J hall@J
CREATE FUNCTION shop.begin(key text, user_id text DEFAULT 'ann', claims json DEFAULT '{}') RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shop.connect_as(key, user_id, claims), shop.join_room(key, 'hall', NULL, user_id), shop.join_room(key, 'order:1', NULL, user_id);
    RETURN shop.head() - 1000000;
END $$;
SELECT is(shop.begin('k1') || ' ' || shop.begin('k2', 'bob') || ' ' || shop.begin('k3'), '3 3 3', 'three sessions of two users');
SELECT pulse.evict('order:1', 'ann');
SELECT is(shop.come_back('k3', 3), 'user:ann@3 hall@3 order:1@3', 'an eviction that has no position yet: the bridge will meet it');
SELECT shop.dispatch();
SELECT is(shop.come_back('k1', 3), 'evicted', 'E7: an eviction that the client has not heard of');
SELECT is(shop.come_back('k2', 3, 'bob'), 'user:bob@3 hall@3 order:1@3', 'is nobody else''s');
SELECT is(shop.come_back('k1', 4), 'user:ann@4 hall@4', 'E7: one that it has heard of ended the membership alone');
SELECT is(shop.rooms('k1'), 'user:ann@3 hall@3', 'in the row too');
SELECT is(shop.come_back('k3', 3), 'evicted', 'each session of the user has its own');
SELECT is(shop.join_room('k3', 'order:1'), 'true', 'joined again, since the right was given again');
SELECT is(shop.rooms('k3'), 'user:ann@3 hall@3 order:1@4', 'is a new membership');
SELECT is(shop.come_back('k3', 3), 'evicted', 'E7: a right given again makes no hole whole');
SELECT is(shop.come_back('k3', 4), 'user:ann@4 hall@4 order:1@4', 'after it, the new membership counts');
SELECT pulse.evict('order:1'), pulse.evict('order:2');
SELECT shop.dispatch();
SELECT is(shop.come_back('k2', 4, 'bob'), 'evicted', 'E7: an eviction of everybody');
SELECT is(shop.come_back('k2', 5, 'bob'), 'user:bob@5 hall@5', 'ends the membership of each');
SELECT is(shop.come_back('k1', 4), 'user:ann@4 hall@4', 'and concerns nobody who was not in the room');
SELECT is(shop.come_back('k3', 6), 'user:ann@6 hall@6', 'two evictions, two memberships');
SELECT pulse.evict('order:9', 'ann');
SELECT shop.dispatch();
SELECT is(shop.come_back('k1', 6), 'evicted', 'an eviction of the user from any room: the bridge may have taken the room out of the row already');
SELECT is(shop.come_back('k1', 7), 'user:ann@7 hall@7', 'later all is well');

-- what bridges report of evictions they carried out
SELECT is(shop.join_room('k1', 'order:3'), 'true', 'a member again');
SELECT pulse.bridge_sessions('b1', format('[{"key":"k1","leave":"order:3","evictedAt":%s}]', shop.head())::json);
SELECT is(shop.rooms('k1'), 'user:ann@3 hall@3 order:3@7', 'an eviction before the join does not end it');
SELECT pulse.publish('other', 'x', '1'::json);
SELECT shop.dispatch();
SELECT pulse.bridge_sessions('b1', format('[{"key":"k1","leave":"order:3","evictedAt":%s}]', shop.head())::json);
SELECT is(shop.rooms('k1'), 'user:ann@3 hall@3', 'one after it does');
SELECT is(shop.come_back('k1', 7), 'evicted', 'and is remembered when the log has forgotten it');
SELECT is(shop.come_back('k1', 8), 'user:ann@8 hall@8', 'until the client has heard of it');

-- many
SELECT count(pulse.evict('order:' || n, 'user ' || n)) FROM generate_series(1, 100) n;
SELECT is(shop.begin('k4') || ' ' || shop.begin('k5', 'user 7') || ' ' || shop.begin('k6'), '8 8 8', 'sessions before a storm of evictions');
SELECT shop.dispatch();
SELECT is(shop.come_back('k4', 8), 'user:ann@8 hall@8 order:1@8', 'E7: a hundred evictions of others change nothing');
SELECT is(shop.come_back('k5', 8, 'user 7'), 'evicted', 'among a hundred one is found');
SELECT is(shop.come_back('k5', 14, 'user 7'), 'evicted', 'at its position');
SELECT is(shop.come_back('k5', 15, 'user 7'), 'user:user 7@15 hall@15 order:1@15', 'and not after it');
SELECT pulse.evict('order:1'), pulse.evict('hall', 'ann');
SELECT shop.dispatch();
SELECT is(shop.come_back('k4', 108), 'evicted', 'evictions of everybody are found among many');
SELECT is(shop.come_back('k4', 109), 'evicted', 'and the user''s own');
SELECT is(shop.come_back('k4', 110), 'user:ann@110', 'and end what they name');

-- joining since a cursor
SELECT is(shop.join_room('k4', 'order:5', 100), 'true true 100', 'a join may have what was before');
SELECT is(shop.join_room('k4', 'order:1', 100), 'true false evicted', 'E7: but not over an eviction from that room');
SELECT is(shop.join_room('k4', 'order:1', 109), 'true true 109', 'after it, yes');
SELECT is(shop.join_room('k4', 'order:5', 1000), 'true false future', 'nor from the future');
SELECT is((SELECT concat_ws(' ', d.recovered::text, d.must_refetch) FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', 'order:1', 'since', since, 'context', '{}'::json))) d), outcome, 'since ' || since::text)
    FROM (VALUES ('7'::json, 'false unknown'), ('"x"', 'false unknown'), ('null', ''), ('"00000000000000bb:1"', 'false foreign_epoch')) cursors (since, outcome);
SELECT is(shop.join_room('k4', 'hall', 110), 'true false forbidden', 'a right to join is no right to what was before');
SELECT is(shop.join_room('k4', 'nowhere', 110), 'false', 'without the right to join there is no question');

-- revocations
SELECT is(shop.error_of('SELECT pulse.revoke(' || args || ')'), message, 'revoke(' || args || ')') FROM (VALUES ('', '22004 neither user_id nor jti is given / Name the user, or the token by its jti.'),
    ('''''', '22023 user_id is empty / user_id has 1 to 255 bytes.'), ('''ann'', expires_at => now() - interval ''1 s''', '22023 expires_at is not in the future / It is when the last token that was issued so far ends by itself.'),
    ('''ann'', expires_at => ''infinity''', '22023 expires_at is not in the future / It is when the last token that was issued so far ends by itself.')) bad (args, message);
SELECT is(shop.begin('k7', 'eve', '{"jti":"t7"}') || ' ' || shop.begin('k8', 'eve', '{"jti":"t8"}') || ' ' || shop.begin('k9', NULL), '110 110 110', 'sessions of tokens');
SELECT is((SELECT row(e.name, e.rooms, (e.payload::jsonb - 'revokedAt' - 'expiresAt'))::text FROM shop.event(pulse.revoke(jti => 't7', reason => 'lost')) e),
    row('pulse:revoke', ARRAY['pulse:system', 'pulse:evictions', 'pulse:jti:t7'], '{"userId":null,"jti":"t7","reason":"lost"}'::jsonb)::text, 'a revocation of a token');
SELECT shop.dispatch();
SELECT is(shop.error_of($$SELECT shop.connect_as('x', 'eve', '{"jti":"t7"}')$$), 'PL401 the token is revoked', 'a revoked token connects no more');
SELECT is(shop.come_back('k7', 110, 'eve', '{"jti":"t9"}'), 'evicted', 'E7: a session of it is not continued by another token');
SELECT is(shop.come_back('k7', 111, 'eve', '{"jti":"t9"}'), 'evicted', 'whatever cursor the client gives');
SELECT is(shop.come_back('k8', 110, 'eve', '{"jti":"t8"}'), 'user:eve@110 hall@110 order:1@110', 'another token of the user is as good as before');
SELECT is((SELECT (e.payload ->> 'expiresAt')::numeric - (e.payload ->> 'revokedAt')::numeric BETWEEN 86399 AND 86401 FROM shop.event(pulse.revoke('eve')) e), true, 'it counts for 24 hours when nobody says more');
SELECT shop.dispatch();
SELECT is(shop.error_of($$SELECT shop.connect_as('x', 'eve', '{"jti":"t9"}')$$), 'PL401 the token is revoked', 'a token that does not say when it was issued');
SELECT is(shop.error_of(format($$SELECT shop.connect_as('x', 'eve', '{"iat":%s}')$$, floor(extract(epoch FROM clock_timestamp()))::bigint - 60)), 'PL401 the token is revoked', 'one that was issued before');
SELECT is(shop.error_of(format($$SELECT shop.connect_as('x', 'eve', '{"iat":%s.5}')$$, floor(extract(epoch FROM clock_timestamp()))::bigint + 1)), NULL, 'one that was issued later is good: that is how the user signs in anew');
SELECT is(shop.come_back('k8', 112, 'eve', '{"iat":9999999999}'), 'evicted', 'E7: but continues no session from before');
SELECT is(shop.come_back('k9', 110, NULL), 'hall@110 order:1@110', 'an anonymous session is nobody''s');
SELECT is((SELECT string_agg(concat_ws('/', r ->> 'userId', r ->> 'jti'), ' ' ORDER BY r ->> 'jti' NULLS LAST) FROM json_array_elements(pulse.bridge_revocations()) r), 't7 eve', 'bridges are told at their start');
SELECT pulse.revoke('eve', expires_at => now() + interval '2 days'), pulse.revoke('eve', expires_at => now() + interval '1 day');
SELECT is((SELECT count(*) || ' ' || max(r.expires_at - now()) FROM _pulse.revocations r WHERE r.user_id = 'eve'), '1 2 days', 'the longest counts');
UPDATE _pulse.revocations SET expires_at = now() - interval '1 s' WHERE jti = 't7';
SELECT is(shop.error_of($$SELECT shop.connect_as('x2', 'zoe', '{"jti":"t7"}')$$), NULL, 'until it expires');
SELECT _pulse.forget_sessions(100);
SELECT is((SELECT string_agg(r.user_id, ' ') FROM _pulse.revocations r), 'eve', 'then it is deleted');
SELECT pulse.revoke('zoe', 't5');
SELECT is(shop.error_of($$SELECT shop.connect_as('x3', 'ann', '{"jti":"t5"}')$$), NULL, 'a token of one user is not that of another');
SELECT is(shop.error_of($$SELECT shop.connect_as('x4', 'zoe', '{"jti":"t5"}')$$), 'PL401 the token is revoked', 'it is that user''s');

-- who may
CREATE FUNCTION shop.kick(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.evict('order:1', args ->> 0); RETURN '"out"'; END $$;
SELECT pulse.on('kick', 'shop.kick');
SELECT is((SELECT h.ack::text FROM pulse.handle('/', 'kick', '["bob"]', '{"userId":"ann"}') h), '["out"]', 'a handler may evict');
CREATE FUNCTION shop.kicks(claims json, room text, params json) RETURNS boolean LANGUAGE sql BEGIN ATOMIC SELECT pulse.evict('order:1') > 0; END;
SELECT pulse.policy('kicks', 'join', 'shop.kicks');
SELECT is((SELECT d.reason FROM pulse.decide('[{"operation":"join","room":"kicks","context":{}}]') d), 'the policy of "kicks" failed', 'a policy may not');

-- what a copy of the database knows
SELECT is(ARRAY(SELECT c.oid::regclass::text FROM pg_extension e, unnest(e.extconfig) o, pg_class c WHERE e.extname = 'pulse' AND c.oid = o AND c.relname IN ('revocations', 'sessions', 'bridges')),
    ARRAY['_pulse.revocations'], 'revocations are dumped, sessions are not');

SELECT * FROM finish();
ROLLBACK;
