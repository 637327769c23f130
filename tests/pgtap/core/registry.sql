-- Registering policies, handlers and connect functions on a running system.
BEGIN;
SELECT plan(92);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_hint text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN v_hint <> '' THEN ' / ' || v_hint ELSE '' END;
END
$$;
CREATE FUNCTION shop.yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION shop.no(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;
CREATE FUNCTION shop.one(args json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '1'::json;
CREATE FUNCTION shop.two(args json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '2'::json;
CREATE FUNCTION shop."Odd ""name"" 😀"(args json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '"odd"'::json;
CREATE FUNCTION shop.wrong(a text) RETURNS json LANGUAGE sql IMMUTABLE RETURN '1'::json;
CREATE FUNCTION shop.text_result(args json) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'x';
CREATE FUNCTION shop.many(args json) RETURNS SETOF json LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT '1'::json; END;
CREATE PROCEDURE shop.procedure(args json) LANGUAGE sql AS '';
CREATE FUNCTION shop.ack(event text, namespace text DEFAULT '/') RETURNS text LANGUAGE sql
    BEGIN ATOMIC SELECT h.ack::text FROM pulse.handle(namespace, event, '[]', '{"userId":"ann"}') h; END;
CREATE FUNCTION shop.allowed(room text) RETURNS boolean LANGUAGE sql
    BEGIN ATOMIC SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', room, 'context', '{"userId":"ann"}'::json))) d; END;

-- policies
SELECT is(shop.allowed('desk:1'), false, 'without a policy nobody may');
SELECT lives_ok($$SELECT pulse.policy('desk:{id}', 'join', 'shop.yes')$$, 'a policy is registered');
SELECT is(shop.allowed('desk:1'), true, 'and decides at once');
SELECT is(shop.allowed('desk:1:inner'), false, 'a placeholder does not match a colon');
SELECT is(shop.allowed('desk:'), false, 'a placeholder is not empty');
SELECT is(shop.allowed('desk:50%'), false, 'a value that is no percent-encoding matches nothing');
SELECT lives_ok($$SELECT pulse.policy('desk:{id}', 'join', 'shop.no(json,text,json)')$$, 'registering again replaces, by signature too');
SELECT is(shop.allowed('desk:1'), false, 'the new one decides');
SELECT lives_ok($$SELECT pulse.policy('desk:1', 'join', 'shop.yes')$$, 'a more specific pattern');
SELECT is(shop.allowed('desk:1'), true, 'wins with more literal text');
SELECT is(shop.allowed('desk:2'), false, 'for its room alone');
SELECT is(pulse.drop_policy('desk:1', 'join'), true, 'a policy is dropped');
SELECT is(shop.allowed('desk:1'), false, 'and decides no more');
SELECT is(pulse.drop_policy('desk:1', 'join'), false, 'dropping it again finds nothing');
SELECT is(shop.error_of(format('SELECT pulse.policy(%L, %L, %L)', pattern, 'join', 'shop.yes')), '22023 pattern "' || pattern || '": ' || message, 'pattern ' || pattern)
    FROM (VALUES ('', 'a pattern is not empty'), ('a:{id', 'a ''{'' without its ''}''; write ''{{'' for the character itself'),
          ('a:id}', 'a ''}'' without its ''{''; write ''}}'' for the character itself'), ('a:{}', 'the name of a placeholder has letters, digits and ''_'' and starts with no digit'),
          ('a:{1x}', 'the name of a placeholder has letters, digits and ''_'' and starts with no digit'), ('{a}:{a}', 'placeholder "a" stands twice'),
          ('{a}-{b}', 'two placeholders need a '':'' between them, the only character that no value contains'),
          (repeat('x', 256), 'a pattern has at most 255 bytes')) bad (pattern, message);
SELECT is(shop.error_of($$SELECT pulse.policy('a', 'read', 'shop.yes')$$), '22023 unknown operation "read" / Known operations: join, publish, history, presence.', 'an unknown operation lists the known ones');
SELECT matches(shop.error_of($$SELECT pulse.policy(NULL, 'join', 'shop.yes')$$), '^22004 pattern is null', 'a null pattern is refused');

-- functions
SELECT is(shop.error_of($$SELECT pulse.on('x', 'shop.missing')$$), '42883 no function "shop.missing" with the arguments that pulse.on needs / pulse.on needs a function f(args json) returns json.', 'a missing function says what is needed');
SELECT is(shop.error_of($$SELECT pulse.on('x', 'shop.wrong')$$), '42883 no function "shop.wrong" with the arguments that pulse.on needs / pulse.on needs a function f(args json) returns json. There is shop.wrong(text) returns json.', 'a wrong argument shows what there is');
SELECT is(shop.error_of($$SELECT pulse.on('x', 'shop.text_result')$$), '42P13 function shop.text_result(json) has the wrong signature / pulse.on needs a function f(args json) returns json. This one returns text.', 'a wrong result is refused');
SELECT matches(shop.error_of($$SELECT pulse.on('x', 'shop.many')$$), 'returns a set of json', 'a set is refused');
SELECT isnt(shop.error_of($$SELECT pulse.on('x', 'shop.procedure')$$), NULL, 'a procedure is refused');
SELECT matches(shop.error_of($$SELECT pulse.on('x', 'shop.yes')$$), '^42883', 'a policy is no handler');
SELECT matches(shop.error_of($$SELECT pulse.on('x', '')$$), '^22023 no function', 'no name is refused');
SELECT isnt(shop.error_of($$SELECT pulse.on('x', 'shop."unfinished')$$), NULL, 'a broken name is refused');

-- handlers
SELECT lives_ok($$SELECT pulse.on('order', 'shop.one')$$, 'a handler is registered');
SELECT is(shop.ack('order'), '[1]', 'and runs at once');
SELECT lives_ok($$SELECT pulse.on('order', 'shop.two')$$, 'registering again replaces');
SELECT is(shop.ack('order'), '[2]', 'and the new one runs');
SELECT lives_ok($$SELECT pulse.on(E'odd "event" 😀', 'shop."Odd ""name"" 😀"')$$, 'quotes and emoji in names');
SELECT is(shop.ack(E'odd "event" 😀'), '["odd"]', 'find their function');
SELECT is(pulse.drop_handler('order'), true, 'a handler is dropped');
SELECT matches(shop.error_of($$SELECT shop.ack('order')$$), '^PL404', 'and gone');
SELECT matches(shop.error_of(format('SELECT pulse.on(%L, %L)', event, 'shop.one')), pattern, 'event name ' || to_json(left(event, 20)))
    FROM (VALUES ('', 'empty'), ('connect', 'reserved'), ('disconnecting', 'reserved'), (repeat('x', 256), '255'), (E'a\nb', 'control'),
          ('room:join', 'answered by the bridge'), ('ping', 'answered by the bridge')) bad (event, pattern);
SELECT matches(shop.error_of($$SELECT pulse.on('x', 'shop.one', key => 'fixed')$$), '^22023 .*names no member', 'a key without a member is refused');
SELECT matches(shop.error_of($$SELECT pulse.on('x', 'shop.one', key => '{id')$$), '^22023', 'a key with a brace left open is refused');

-- namespaces
CREATE FUNCTION shop.greet(claims json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["hall"]}'::json;
CREATE FUNCTION shop.greet_again(claims json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["attic"]}'::json;
CREATE FUNCTION shop.rooms(namespace text) RETURNS text LANGUAGE sql
    BEGIN ATOMIC SELECT pulse.handle_connect(namespace, '{"userId":"ann"}') ->> 'rooms'; END;
SELECT is(shop.error_of($$SELECT shop.rooms('/desk')$$), 'PL404 Invalid namespace', 'a namespace does not exist');
SELECT lives_ok($$SELECT pulse.namespace('/desk', 'shop.greet')$$, 'it is registered');
SELECT is(shop.rooms('/desk'), '["user:ann","hall"]', 'and its connect function greets');
SELECT lives_ok($$SELECT pulse.namespace('/desk', 'shop.greet'), pulse.namespace('/desk', 'shop.greet_again')$$, 'a second function joins, the same one once');
SELECT is(shop.rooms('/desk'), '["user:ann","hall","attic"]', 'and the rooms are united');
SELECT lives_ok($$SELECT pulse.on('order', 'shop.one', '/desk')$$, 'the same event has a handler for each namespace');
SELECT is(shop.ack('order', '/desk'), '[1]', 'which runs there');
SELECT matches(shop.error_of($$SELECT shop.ack('order')$$), '^PL404 no handler', 'and nowhere else');
SELECT is(pulse.drop_namespace('/desk', 'shop.greet'), 1, 'one function is dropped');
SELECT is(shop.rooms('/desk'), '["user:ann","attic"]', 'the other one stays');
SELECT is(pulse.drop_namespace('/desk'), 1, 'all are dropped');
SELECT is(shop.error_of($$SELECT shop.rooms('/desk')$$), 'PL404 Invalid namespace', 'and the namespace with them');
SELECT matches(shop.error_of(format('SELECT pulse.namespace(%L, %L)', name, 'shop.greet')), '^22023 ', 'namespace ' || to_json(name) || ' is refused')
    FROM (VALUES (''), ('desk'), ('/a b'), (E'/a\nb'), ('/a,b'), ('/a?b')) bad (name);
SELECT lives_ok($$SELECT pulse.namespace('/', 'shop.greet')$$, 'the namespace / takes connect functions too');
SELECT is(shop.rooms('/'), '["user:ann","hall"]', 'which greet there');

-- packs and the application: plpgsql stands for a pack, gone_pack for one that was dropped
SELECT lives_ok($$SELECT pulse.on('deal', 'shop.one'), pulse.policy('deal:{id}', 'join', 'shop.no')$$, 'the application registers');
UPDATE _pulse.handlers SET extension = 'plpgsql' WHERE event = 'deal';
UPDATE _pulse.policies SET extension = 'plpgsql' WHERE pattern = 'deal:{id}';
SELECT is(shop.ack('deal'), '[1]', 'a pack''s handler runs');
SELECT lives_ok($$SELECT pulse.on('deal', 'shop.two'), pulse.policy('deal:{id}', 'join', 'shop.yes')$$, 'an application overrides a pack');
SELECT is(shop.ack('deal'), '[2]', 'its handler wins');
SELECT is(shop.allowed('deal:1'), true, 'its policy wins');
SELECT lives_ok($$SELECT pulse.drop_handler('deal'), pulse.drop_policy('deal:{id}', 'join')$$, 'dropping drops the application''s');
SELECT is(shop.ack('deal'), '[1]', 'and the pack''s handler is back');
SELECT is(shop.allowed('deal:1'), false, 'and the pack''s policy');
SELECT is(pulse.drop_handler('deal'), false, 'an application cannot drop a pack''s');
UPDATE _pulse.handlers SET extension = 'gone_pack' WHERE event = 'deal';
SELECT matches(shop.error_of($$SELECT shop.ack('deal')$$), '^PL404', 'registrations of a pack that is gone are ignored');
CREATE EXTENSION lo;
SELECT lives_ok($$SELECT pulse.on('deal', 'shop.two'), pulse.policy('deal:{id}', 'join', 'shop.yes'), pulse.namespace('/deal', 'shop.greet'), pulse.define_setting('deal', 'x', '1', 'd')$$, 'what a pack registers');
UPDATE _pulse.handlers SET extension = 'lo' WHERE event = 'deal' AND extension IS NULL;
UPDATE _pulse.policies SET extension = 'lo' WHERE pattern = 'deal:{id}' AND extension IS NULL;
UPDATE _pulse.namespaces SET extension = 'lo' WHERE name = '/deal';
UPDATE _pulse.setting_definitions SET extension = 'lo' WHERE pack = 'deal';
DROP EXTENSION lo;
SELECT is((SELECT count(*)::int FROM (SELECT extension FROM _pulse.handlers UNION ALL SELECT extension FROM _pulse.policies UNION ALL
    SELECT extension FROM _pulse.namespaces UNION ALL SELECT extension FROM _pulse.setting_definitions) r WHERE extension = 'lo'), 0, 'goes with the pack');
SELECT is((SELECT count(*)::int FROM _pulse.policies WHERE extension = 'pulse'), 2, 'the engine''s own registrations carry its name');

-- who may register, and what pulse_client needs
CREATE ROLE some_admin;
GRANT pulse_admin TO some_admin;
CREATE ROLE nobody_special;
GRANT USAGE ON SCHEMA shop TO some_admin, nobody_special;
CREATE FUNCTION shop.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_error text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    v_error := shop.error_of(statement);
    RESET ROLE;
    RETURN v_error;
END
$$;
GRANT EXECUTE ON FUNCTION shop.error_of(text) TO some_admin, nobody_special;
SELECT is(shop.as_role('some_admin', $$SELECT pulse.on('by_admin', 'shop.one'), pulse.policy('by:{admin}', 'join', 'shop.yes'), pulse.namespace('/admin', 'shop.greet')$$), NULL, 'pulse_admin may register');
SELECT is(shop.as_role('nobody_special', statement), '42501 permission denied for function ' || name, 'nobody else: ' || name)
    FROM (VALUES ('on', $$SELECT pulse.on('x', 'shop.one')$$), ('policy', $$SELECT pulse.policy('x', 'join', 'shop.yes')$$), ('namespace', $$SELECT pulse.namespace('/x', 'shop.greet')$$),
          ('drop_handler', $$SELECT pulse.drop_handler('x')$$), ('drop_policy', $$SELECT pulse.drop_policy('x', 'join')$$), ('drop_namespace', $$SELECT pulse.drop_namespace('/x')$$)) calls (name, statement);
SELECT is(shop.as_role('some_admin', $$SET LOCAL search_path TO shop; SELECT pulse.on('unqualified', 'two'); RESET search_path$$), NULL, 'names are resolved as the caller does');
SELECT is(shop.ack('unqualified'), '[2]', 'and stored with their schema');
SELECT is((SELECT function FROM _pulse.handlers WHERE event = 'unqualified'), 'shop.two', 'so that no search_path matters later');

SELECT * FROM finish();
ROLLBACK;
