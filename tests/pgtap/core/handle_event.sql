-- pulse.handle_event: what the bridge calls for each event, and what it keeps of a handler between the calls of one connection: whatever
-- it was found by may change, and the next call hears of it. Two connections: tests/isolation/specs/handler_changes.spec.
BEGIN;
SELECT plan(46);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
CREATE ROLE shop_owner;
CREATE ROLE shop_readers;
GRANT USAGE, CREATE ON SCHEMA shop TO shop_owner;
CREATE FUNCTION shop.emit(event text, args text DEFAULT '[]', context text DEFAULT '{"userId":"ann"}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN pulse.handle_event('/', event, args, context);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- forms
CREATE FUNCTION shop.give(args json) RETURNS json LANGUAGE sql RETURN args -> 0;
CREATE FUNCTION shop.moves(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.leave(args ->> 0);
    PERFORM pulse.reply('moved', args);
    RETURN json_build_object('image', pulse.attach('\x01'));
END
$$;
SELECT pulse.on('give', 'shop.give'), pulse.on('moves', 'shop.moves');
SELECT is(shop.emit('give', '[{"a": [1, "x y"]}]'), '[{"a":[1,"x y"]}]', 'without effects the answer is the array of the ack''s arguments');
SELECT is(shop.emit('give', '[[1,2]]'), '[1,2]', 'an array is the arguments');
SELECT is(shop.emit('give', '[]'), '[]', 'NULL is none');
SELECT is((shop.emit('moves', '["a"]')::json ->> 'ack'), '[{"image":{"_placeholder":true,"num":0}}]', 'with effects it is an object that has the ack');
SELECT is((shop.emit('moves', '["a"]')::json ->> 'effects'), '[{"leave":"a"},{"reply":["moved",["a"]]},{"attach":["AQ=="]}]', 'and the effects in their order');
SELECT is(json_typeof(shop.emit('moves', '["a"]')::json -> 'position') IN ('string', 'null'), true, 'and the position of the snapshot, if there is one');
SELECT is(shop.emit('give', NULL), 'PL400 args is missing', 'args are needed');
SELECT is(shop.emit('give', '[]', NULL), 'PL400 context is missing', 'and a context');
SELECT is(shop.emit('give', '{}'), 'PL400 args is no JSON array', 'args are an array');
SELECT matches(shop.emit('give', args), '^PL400 args is no JSON: ', 'args are JSON: ' || args) FROM (VALUES ('[1,]'), ('[01]'), ('["a]'), ('[1] 2'), ('')) bad (args);
SELECT matches(shop.emit('give', '[1]', context), '^PL400 context is no JSON: ', 'so is the context: ' || context) FROM (VALUES ('{"claims":{"a":tru}}'), ('{'), ('')) bad (context);
SELECT is(shop.emit('give', '[1]', '[]'), 'PL400 context is no JSON object', 'the context is an object');
SELECT is(shop.emit('give', '[1]', '{"userId":7}'), 'PL400 context.userId is no string', 'with members of their types');
SELECT is(shop.emit('nothing'), 'PL404 no handler for event "nothing" in namespace "/"', 'an event without a handler is refused');
SELECT is((SELECT h.ack::text FROM pulse.handle('/', 'give', '[7]', '{}') h), '[7]', 'the row of pulse.handle says the same');

-- what changes is heard
CREATE FUNCTION shop.who(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN json_build_array('one', current_user = 'shop_owner'); END $$;
SELECT pulse.on('who', 'shop.who');
SELECT is(shop.emit('who'), '["one",false]', 'a handler runs');
SELECT is(shop.emit('who'), '["one",false]', 'and again, from what was kept');
CREATE OR REPLACE FUNCTION shop.who(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN json_build_array('two', current_user = 'shop_owner'); END $$;
SELECT is(shop.emit('who'), '["two",false]', 'CREATE OR REPLACE counts at once');
ALTER FUNCTION shop.who(json) OWNER TO shop_owner;
SELECT is(shop.emit('who'), '["two",true]', 'so does another owner');
ALTER FUNCTION shop.who(json) SECURITY INVOKER;
SELECT is(shop.emit('who'), '["two",false]', 'and SECURITY INVOKER');
ALTER FUNCTION shop.who(json) SECURITY DEFINER SET search_path = pg_temp;
CREATE OR REPLACE FUNCTION shop.who(args json) RETURNS json LANGUAGE sql SECURITY DEFINER SET search_path = shop AS $$ SELECT to_json(current_setting('search_path')) $$;
SELECT is(shop.emit('who'), '["shop"]', 'another language and other settings');
ALTER FUNCTION shop.who(json) SET search_path = pg_catalog;
SELECT is(shop.emit('who'), '["pg_catalog"]', 'ALTER FUNCTION … SET');
REVOKE EXECUTE ON FUNCTION shop.who(json) FROM PUBLIC;
SELECT is(shop.emit('who'), '42501 pulse_client cannot execute shop.who', 'REVOKE is heard');
GRANT EXECUTE ON FUNCTION shop.who(json) TO shop_readers;
GRANT shop_readers TO pulse_client;
SELECT is(shop.emit('who'), '["pg_catalog"]', 'a membership that allows it is');
REVOKE shop_readers FROM pulse_client;
SELECT is(shop.emit('who'), '42501 pulse_client cannot execute shop.who', 'and its end');
GRANT EXECUTE ON FUNCTION shop.who(json) TO PUBLIC;
SELECT is(shop.emit('who'), '["pg_catalog"]', 'GRANT is heard');
REVOKE USAGE ON SCHEMA shop FROM pulse_client;
SELECT is(shop.emit('who'), '42501 pulse_client cannot execute shop.who', 'so is a schema that is closed');
GRANT USAGE ON SCHEMA shop TO pulse_client;
ALTER FUNCTION shop.who(json) RENAME TO whose;
SELECT is(shop.emit('who'), '42883 the registered function shop.who is gone or has another signature', 'a function that has another name is gone');
ALTER FUNCTION shop.whose(json) RENAME TO who;
SELECT is(shop.emit('who'), '["pg_catalog"]', 'and back');
ALTER SCHEMA shop RENAME TO store;
SELECT matches(store.emit('who'), '^42883 the registered function shop.who is gone', 'so is one in a schema with another name');
ALTER SCHEMA store RENAME TO shop;
SELECT pulse.on('who', 'shop.give');
SELECT is(shop.emit('who', '[1]'), '[1]', 'another function is registered');
SAVEPOINT before;
SELECT pulse.on('who', 'shop.who');
SELECT is(shop.emit('who', '[1]'), '["pg_catalog"]', 'and another');
ROLLBACK TO before;
SELECT is(shop.emit('who', '[1]'), '[1]', 'which is rolled back');
ALTER TABLE _pulse.handlers DISABLE TRIGGER handlers_changed;
SELECT pulse.on('who', 'shop.who');
SELECT is(shop.emit('who', '[1]'), '["pg_catalog"]', 'without the trigger that tells of changes nothing is kept');
UPDATE _pulse.handlers SET function = 'shop.give' WHERE event = 'who';
SELECT is(shop.emit('who', '[1]'), '[1]', 'so each call finds what is there');
ALTER TABLE _pulse.handlers ENABLE TRIGGER handlers_changed;
SELECT pulse.on('who', 'shop.who');
DROP FUNCTION shop.who(json);
SELECT matches(shop.emit('who'), '^42883 the registered function shop.who is gone', 'a function that is dropped is gone');
SELECT pulse.drop_handler('who');
SELECT is(shop.emit('who'), 'PL404 no handler for event "who" in namespace "/"', 'and so is the handler');

-- errors and nesting leave nothing wrong behind
CREATE FUNCTION shop.divides(args json) RETURNS json LANGUAGE sql AS $$ SELECT to_json(12 / (args ->> 0)::int) $$;
SELECT pulse.on('divides', 'shop.divides');
SELECT is(array_agg(shop.emit('divides', format('[%s]', n)) ORDER BY at), ARRAY['[4]', '22012 division by zero', '[6]', '22012 division by zero', '[12]'], 'after an error the next call works')
    FROM unnest(ARRAY[3, 0, 2, 0, 1]) WITH ORDINALITY v (n, at);
CREATE FUNCTION shop.countdown(args json) RETURNS json LANGUAGE sql SECURITY DEFINER AS
    $$ SELECT CASE WHEN (args ->> 0)::int = 0 THEN '[0]' ELSE json_build_array(args -> 0, pulse.handle_event('/', 'countdown', format('[%s]', (args ->> 0)::int - 1), '{}')) END $$;
SELECT pulse.on('countdown', 'shop.countdown');
SELECT is(shop.emit('countdown', '[2]'), '[2,[1,[0]]]', 'a handler that calls itself');
SELECT is(shop.emit('countdown', '[1]'), '[1,[0]]', 'and again');

SELECT * FROM finish();
ROLLBACK;
