-- pulse.publish: what reaches the log, byte for byte, and what is refused with which words.
BEGIN;
SELECT plan(100);

-- The row of one publish.
CREATE FUNCTION pg_temp.row_of(id bigint) RETURNS pulse.events LANGUAGE sql AS 'SELECT e FROM pulse.events e WHERE e.id = $1';
-- SQLSTATE, message, detail and hint of a failing statement; the statement leaves nothing behind.
CREATE FUNCTION pg_temp.failure(statement text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE FUNCTION pg_temp.refused(statement text, code text, message text, hint text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    f record := pg_temp.failure(statement);
BEGIN
    RETURN NEXT is(f.code || ' ' || f.message, refused.code || ' ' || refused.message, description);
    RETURN NEXT matches(f.hint, refused.hint, description || ': the hint says what is accepted');
END
$$;

-- The functions
SELECT has_function('pulse', 'publish', ARRAY[room, 'text', payload, 'bytea[]', 'json', 'text', 'text', 'text', 'boolean', 'interval', 'text'], 'publish takes ' || room || ' and ' || payload)
FROM unnest(ARRAY['text', 'text[]']) room, unnest(ARRAY['json', 'jsonb', 'text']) payload;
SELECT is(array_agg(DISTINCT l.lanname)::text, '{c}', 'publish is C') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'pulse'::regnamespace AND p.proname = 'publish';
SELECT is((SELECT array_agg(DISTINCT grantee::regrole::text ORDER BY grantee::regrole::text) FROM pg_proc p, aclexplode(p.proacl)
    WHERE p.pronamespace = 'pulse'::regnamespace AND p.proname = 'publish' AND grantee <> p.proowner)::text, '{pulse_publisher}', 'only pulse_publisher may execute it');
SELECT is((SELECT count(*)::int FROM pg_proc p WHERE p.pronamespace = 'pulse'::regnamespace AND p.proname IN ('publish', 'watch', 'unwatch', 'publish_trigger')
    AND obj_description(p.oid, 'pg_proc') IS NULL), 0, 'each function has a comment');

-- The row
SELECT is((e).rooms::text || (e).name || (e).payload::text || (e).headers::text, '{r1}e1{"a":1}{}', 'a room, an event and a payload become one row')
FROM pg_temp.row_of(pulse.publish('r1', 'e1', '{"a": 1}'::json)) e;
SELECT is((e).xid, pg_current_xact_id(), 'the row carries the top-level transaction') FROM pg_temp.row_of(pulse.publish('r1', 'e1', '1')) e;
SELECT ok((e).at BETWEEN now() AND clock_timestamp(), 'and the time') FROM pg_temp.row_of(pulse.publish('r1', 'e1', '1')) e;
SELECT is((e).slot, _pulse.current_slot(), 'and the slot in use') FROM pg_temp.row_of(pulse.publish('r1', 'e1', '1')) e;
SELECT ok((e).attachments IS NULL AND (e).partition_key IS NULL AND (e).channel IS NULL, 'what is not given is null') FROM pg_temp.row_of(pulse.publish('r1', 'e1', '1')) e;
SELECT is((e).rooms, ARRAY['b', 'a', 'c'], 'rooms keep their order, duplicates are dropped') FROM pg_temp.row_of(pulse.publish(ARRAY['b', 'a', 'b', 'c', 'a'], 'e', '1')) e;
SELECT is(cardinality((e).rooms), 1000, 'a thousand rooms, each twice') FROM pg_temp.row_of(pulse.publish((SELECT array_agg('r' || i % 1000) FROM generate_series(1, 2000) i), 'e', '1')) e;
SELECT ok(pulse.publish('r', 'e', '1') < pulse.publish('r', 'e', '1'), 'ids grow');
SELECT is((e).payload::text, '"text"', 'an untyped literal is JSON text') FROM pg_temp.row_of(pulse.publish('r', 'e', '"text"')) e;
SELECT is((e).payload::text, '{"a":1,"b":[2]}', 'jsonb is accepted') FROM pg_temp.row_of(pulse.publish('r', 'e', '{"b":[2], "a":1}'::jsonb)) e;
SELECT is((e).payload::text, '{"a":1}', 'jsonb with an array of rooms') FROM pg_temp.row_of(pulse.publish(ARRAY['r'], 'e', '{"a":1}'::jsonb)) e;
SELECT is((e).payload::text, '[1]', 'text with an array of rooms') FROM pg_temp.row_of(pulse.publish(ARRAY['r'], 'e', ' [ 1 ] '::text)) e;
SELECT is((e).payload::text, 'null', 'the JSON null is a payload') FROM pg_temp.row_of(pulse.publish('r', 'e', 'null')) e;
SELECT is((e).rooms, ARRAY['{a,b}'], 'an untyped literal is one room') FROM pg_temp.row_of(pulse.publish('{a,b}', 'e', '1')) e;
PREPARE driver AS SELECT pulse.publish($1, $2, $3);
SELECT lives_ok($$EXECUTE driver('r', 'e', '{}')$$, 'untyped parameters of a driver resolve');
SELECT is((e).payload::text, '2', 'named notation with room') FROM pg_temp.row_of(pulse.publish(room => 'r', event => 'e', payload => '2')) e;
SELECT is((e).payload::text, '3', 'named notation with rooms') FROM pg_temp.row_of(pulse.publish(rooms => '{r}', event => 'e', payload => '3')) e;

-- Byte for byte
SELECT is((e).payload::text, '{"b":1.50,"a":1e3,"a":-0,"s":" x  y ","u":"\u00e9\ud83d\ude00\ud800\/"}', 'key order, number text, duplicate keys, escapes and spaces in strings stay; white space outside goes')
FROM pg_temp.row_of(pulse.publish('r', 'e', E' {\n\t"b" : 1.50 , "a":1e3,\r\n"a" : -0, "s":" x  y ", "u":"\\u00e9\\ud83d\\ude00\\ud800\\/" } '::json)) e;
SELECT is((e).payload::text, to_json(v)::text, 'a payload string arrives intact: ' || quote_literal(v))
FROM unnest(ARRAY['quotes " and '' and \', E'tab\tnewline\nreturn\r', E'unit\x1e record\x1f', 'emoji 😀 👩‍👩‍👧 𝄞', U&'\2028\2029']) v,
     LATERAL pg_temp.row_of(pulse.publish('r', 'e', to_json(v))) e;
SELECT is((e).rooms[1] || (e).name, 'zimmer "ü" ''😀'' \ {x},yEvent "é" 🎉', 'rooms and names with quotes, commas, braces, emoji arrive intact')
FROM pg_temp.row_of(pulse.publish('zimmer "ü" ''😀'' \ {x},y', 'Event "é" 🎉', '1')) e;
SELECT is(length((e).payload::text), 1000002, 'a payload of a million bytes') FROM pg_temp.row_of(pulse.publish('r', 'e', to_json(repeat('x', 1000000)))) e;
SELECT is((e).payload::text, repeat('[', 1000) || repeat(']', 1000), 'a payload nested 1000 deep') FROM pg_temp.row_of(pulse.publish('r', 'e', repeat('[', 1000) || repeat(']', 1000))) e;

-- Options
SELECT is((e).attachments, ARRAY['\x0001ff'::bytea, ''], 'attachments, also an empty one') FROM pg_temp.row_of(pulse.publish('r', 'e', '{"_placeholder":true,"num":0}', ARRAY['\x0001ff'::bytea, ''])) e;
SELECT is((e).headers::text, '{"traceparent":"00-a","actor":"u1","exceptSession":"s\"1","idempotencyKey":"k1"}', 'options become headers beside the caller''s')
FROM pg_temp.row_of(pulse.publish('r', 'e', '1', headers => '{"traceparent": "00-a", "actor": "u1"}', except_session => 's"1', idempotency_key => 'k1')) e;
SELECT is((e).headers::text, '{"exceptSession":"s1"}', 'and stand alone') FROM pg_temp.row_of(pulse.publish('r', 'e', '1', except_session => 's1')) e;
SELECT is((e).headers::text, '{}', 'headers null is empty') FROM pg_temp.row_of(pulse.publish('r', 'e', '1', headers => NULL)) e;
SELECT is((e).partition_key, 'p1', 'the partition key') FROM pg_temp.row_of(pulse.publish('r', 'e', '1', partition_key => 'p1')) e;
SELECT is(pulse.publish('r', 'twice', '1', idempotency_key => 'k2'), pulse.publish('other', 'twice', '2', idempotency_key => 'k2'), 'the second publish of a key returns the first one''s id');
SELECT is((SELECT count(*)::int FROM pulse.events WHERE name = 'twice'), 1, 'and stores nothing');
SELECT isnt(pulse.publish('r', 'e', '1', idempotency_key => 'k3'), pulse.publish('r', 'e', '1', idempotency_key => 'k4'), 'other keys are other events');

-- Rollback takes event and key along
SAVEPOINT before;
SELECT pulse.publish('r', 'undone', '1', idempotency_key => 'k5');
ROLLBACK TO before;
SELECT is((SELECT count(*)::int FROM pulse.events WHERE name = 'undone'), 0, 'a savepoint rolled back leaves no event');
SELECT pulse.publish('r', 'done', '1', idempotency_key => 'k5');
SELECT is((SELECT count(*)::int FROM pulse.events WHERE name = 'done'), 1, 'and no idempotency key');

-- Refused
SELECT pg_temp.refused($$SELECT pulse.publish('', 'e', '1')$$, '22023', 'room name is empty', '1 to 255 bytes', 'an empty room');
SELECT pg_temp.refused($$SELECT pulse.publish(repeat('ä', 128), 'e', '1')$$, '22023', 'room name "' || repeat('ä', 30) || '…" is too long: 256 bytes', '1 to 255 bytes', 'a room of 256 bytes');
SELECT lives_ok($$SELECT pulse.publish(repeat('ä', 127) || 'x', 'e', '1')$$, 'a room of 255 bytes is accepted');
SELECT pg_temp.refused(format('SELECT pulse.publish(%L, ''e'', ''1'')', 'a' || c), '22023', 'room name "a' || shown || '" contains a control character', 'no control characters', 'a room with ' || shown)
FROM (VALUES (E'\n', '\n'), (E'\t', '\t'), (E'\x1e', '\u001e')) v (c, shown);
SELECT pg_temp.refused($$SELECT pulse.publish('{}'::text[], 'e', '1')$$, '22023', 'event has no room', 'at least one room', 'no room');
SELECT pg_temp.refused($$SELECT pulse.publish(ARRAY['a', NULL], 'e', '1')$$, '22004', 'a room is null', 'array_remove', 'a null room');
SELECT pg_temp.refused($$SELECT pulse.publish(NULL::text, 'e', '1')$$, '22004', 'room is null', 'needs a room', 'no room at all');
SELECT pg_temp.refused($$SELECT pulse.publish('r', NULL, '1')$$, '22004', 'event is null', 'needs a room, an event', 'no event name');
SELECT pg_temp.refused($$SELECT pulse.publish('r', 'e', NULL::json)$$, '22004', 'payload is null', '''null''::json', 'a payload that is null');
SELECT throws_ok($$SELECT pulse.publish('r', 'e', NULL::jsonb)$$, '22004', 'payload is null', 'also as jsonb');
SELECT throws_ok(format('SELECT pulse.publish(''r'', %L, ''1'')', name), '22023', format('event name "%s" is reserved', name), 'the event name ' || name || ' is reserved')
FROM unnest(ARRAY['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) name;
SELECT pg_temp.refused($$SELECT pulse.publish('r', '', '1')$$, '22023', 'event name is empty', '1 to 255 bytes', 'an empty event name');
SELECT pg_temp.refused($$SELECT pulse.publish('r', 'e', '{"a":}')$$, '22P02', 'payload is not valid JSON: unexpected character in JSON', 'json_build_object', 'malformed JSON text');
SELECT is((pg_temp.failure($$SELECT pulse.publish('r', 'e', 'hello')$$)).detail, 'at byte 0: hello', 'the detail says where');
SELECT pg_temp.refused($$SELECT pulse.publish('r', 'e', to_json(repeat('x', 1048576)))$$, '54000', 'payload of event "e" has 1048578 bytes, more than pulse.max_payload', 'raise pulse.max_payload', 'a payload over pulse.max_payload');
SELECT pg_temp.refused($$SELECT pulse.publish('r', 'e', '1', headers => '[1]')$$, '22023', 'headers are not a JSON object', 'traceparent', 'headers that are no object');
SELECT pg_temp.refused($$SELECT pulse.publish('r', 'e', '1', headers => '{"exceptSess\u0069on":"x"}')$$, '22023', 'header "exceptSession" is set by an option', 'except_session', 'a header that an option sets, however it is spelt');
SELECT pg_temp.refused($$SELECT pulse.publish('r', 'e', '1', attachments => array_fill(''::bytea, ARRAY[11]))$$, '54000', 'event has 11 attachments', 'at most 10', 'eleven attachments');
SELECT throws_ok(format('SELECT pulse.publish(%L, %L, %L, attachments => ARRAY[''x''::bytea])', 'r', 'e', payload), '22023', 'the payload has a placeholder without its attachment', 'a placeholder must name an attachment: ' || payload)
    FROM unnest(ARRAY['{"_placeholder":true,"num":1}', '[{"_placeholder":true}]']) payload;
SELECT throws_ok($$SELECT pulse.publish('r', 'e', '1', attachments => ARRAY[NULL::bytea])$$, '22004', 'an attachment is null', 'a null attachment');
SELECT throws_ok($$SELECT pulse.publish('r', 'e', '1', attachments => ARRAY[convert_to(repeat('x', 2000000), 'UTF8')])$$, '54000', NULL, 'attachments over pulse.max_payload');
SELECT throws_ok(format('SELECT pulse.publish(''r'', ''e'', ''1'', %I => repeat(''x'', 256))', name), '22023', NULL, name || ' of 256 bytes')
FROM unnest(ARRAY['except_session', 'partition_key', 'idempotency_key']) name;
SELECT pg_temp.refused($$DO 'BEGIN SET LOCAL transaction_read_only = on; PERFORM pulse.publish(''r'', ''e'', ''1''); END'$$, '25006', 'cannot publish in a read-only transaction', 'READ WRITE', 'a read-only transaction');

-- Rights
SET LOCAL ROLE pulse_client;
SELECT throws_ok($$SELECT pulse.publish('r', 'e', '1')$$, '42501', 'permission denied for function publish', 'a role without the right publishes nothing');
SET LOCAL ROLE pulse_publisher;
SELECT lives_ok($$SELECT pulse.publish('r', 'by publisher', '1', idempotency_key => 'k6')$$, 'pulse_publisher publishes, with a key too');
SELECT is(pulse.publish('r', 'by publisher', '1', idempotency_key => 'k6'), pulse.publish('r', 'by publisher', '1', idempotency_key => 'k6'), 'and gets the first id back');
SELECT throws_ok($$SELECT * FROM pulse.events$$, '42501', NULL, 'but does not read the log');
SELECT is(current_user::text, 'pulse_publisher', 'and stays who it was');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
