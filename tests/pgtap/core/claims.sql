-- What SQL sees of the client: claims of every shape, and nothing outside a call.
BEGIN;
SELECT plan(25);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
CREATE FUNCTION shop.claim(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN json_build_array(pulse.claim(args ->> 0)); END $$;
CREATE FUNCTION shop.claims(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN json_build_array(pulse.claims()); END $$;
SELECT pulse.on('claim', 'shop.claim'), pulse.on('claims', 'shop.claims');
CREATE FUNCTION shop.claim_of(claims text, name text) RETURNS text LANGUAGE sql
    RETURN (SELECT h.ack ->> 0 FROM pulse.handle('/', 'claim', json_build_array(name), ('{"userId":"ann","claims":' || claims || '}')::json) h);

SELECT is(shop.claim_of(claims, name), value, 'claim ' || name || ' of ' || claims)
    FROM (VALUES ('{"role":"nurse"}', 'role', 'nurse'),
                 ('{"role":"nurse"}', 'Role', NULL),
                 ('{"role":null}', 'role', NULL),
                 ('{"exp":1700000000.50}', 'exp', '1700000000.50'),
                 ('{"ok":true}', 'ok', 'true'),
                 ('{"roles":["a", "b"]}', 'roles', '["a", "b"]'),
                 ('{"app":{"org":"x"}}', 'app', '{"org":"x"}'),
                 ('{"a b":"c \" d"}', 'a b', 'c " d'),
                 ('{"\u0041":"\ud83d\ude00"}', 'A', '😀'),
                 ('{"role":"first","role":"last"}', 'role', 'last'),
                 ('{ "role" : "spaced" }', 'role', 'spaced'),
                 ('{"":"empty"}', '', 'empty'),
                 ('{"x\u0000y":"1","role":"nurse"}', 'role', 'nurse'),
                 ('{"role":"{\"not\":1}, \"]"}', 'role', '{"not":1}, "]'),
                 ('{}', 'role', NULL),
                 ('null', 'role', NULL)) shapes (claims, name, value);
SELECT throws_ok($$SELECT shop.claim_of('{"role":"a\u0000b"}', 'role')$$, '22P05', 'claim "role" contains \u0000, which no text can hold', 'a zero character is a clear error');
SELECT is((SELECT h.ack::text FROM pulse.handle('/', 'claims', '[]', '{"claims":{"b":1.0,"a":[2,1]}}') h), '[{"b":1.0,"a":[2,1]}]', 'claims keep order and numbers');

SELECT is(pulse.claims()::text, NULL, 'no claims outside a call');
SELECT is(pulse.claim('role'), NULL, 'no claim');
SELECT is(pulse.user_id(), NULL, 'no user');
SELECT is(pulse.attachments(), NULL, 'no attachments');

SELECT is(pulse.is_own_user_room('{}', 'user:ann', '{"userId":"ann"}'), false, 'outside a call a user''s room is nobody''s');
SELECT is((SELECT string_agg(d.allowed::text, ',' ORDER BY d.n) FROM pulse.decide('[
    {"operation":"join","room":"user:ann","context":{"userId":"ann"}},
    {"operation":"join","room":"user:bob","context":{"userId":"ann"}},
    {"operation":"join","room":"user:ann","context":{}},
    {"operation":"join","room":"user:a%3Ab","context":{"userId":"a:b"}},
    {"operation":"join","room":"user:a:b","context":{"userId":"a:b"}}]') d), 'true,false,false,true,false', 'a user''s room is for that user alone');
SELECT is(pulse.handle_connect('/', '{"userId":"a:b%\u0001😀"}') ->> 'rooms', '["user:a%3Ab%25%01😀"]', 'a user id is encoded like any value in a room');

SELECT * FROM finish();
ROLLBACK;
