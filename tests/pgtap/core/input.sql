-- pulse.require_user, input_*, to_*, room_part, page_size: what functions read of what clients send, and how they refuse it.
BEGIN;
SELECT plan(59);

CREATE SCHEMA shop;
\ir ../../support/error_of.sql

SELECT is(pulse.iso8601('2026-01-05 10:00:00.0564+02'), '2026-01-05T08:00:00.056Z', 'a time is UTC with milliseconds');
SELECT is(pulse.iso8601(NULL), NULL, 'none is none');

SELECT is(pulse.to_uuid('A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a UUID');
SELECT is(pulse.to_uuid(value), NULL, format('%L is none', value)) FROM unnest(ARRAY['', 'x', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', NULL]) value;

SELECT is(pulse.to_time(value), at, value) FROM (VALUES
    ('2026-01-05T10:00:00Z', '2026-01-05 10:00+00'::timestamptz), ('2026-01-05T10:00:00.123456+05:30', '2026-01-05 04:30:00.123456+00'), ('2026-01-05T10:00-0800', '2026-01-05 18:00+00'),
    ('1767323045678', '2026-01-02 03:04:05.678+00'), ('0', '1970-01-01 00:00+00')) t (value, at);
SELECT is(pulse.to_time(value), NULL, format('%L is no time', value))
  FROM unnest(ARRAY['', 'yesterday', '2026-01-05', '2026-01-05T10:00:00', '2026-02-30T10:00:00Z', '2026-01-05T25:00:00Z', '2026-01-05T10:00:00+99:99', '0000-01-01T00:00:00Z', '-1', '1e12',
                    '9999999999999999', NULL]) value;

SELECT is(pulse.room_part(value), part, format('%L as a part of a room', value)) FROM (VALUES ('7', '7'), ('a:b', 'a%3Ab'), ('50%', '50%25'), (E'a\nb', 'a%0Ab'), ('é', 'é'), (NULL, NULL)) t (value, part);
SELECT is('order:' || pulse.room_part('a:b%'), (SELECT d.room FROM (SELECT 'order:a%3Ab%25') d (room)), 'as pulse.watch writes it');

SELECT is(shop.error_of('SELECT pulse.require_user()'), 'PL401 this needs a user / Come with a token that has the claim userId or sub.', 'a user is needed');

SELECT is(pulse.input_object('{"a":1}', '{}')::text, '{"a":1}', 'an object');
SELECT is(shop.error_of($$SELECT pulse.input_object('"{\"a\":1}"', '{"a":1}')$$),
          'PL422 what is sent must be a JSON object / Send {"a":1}. It came as a text: send the object itself, over HTTP with Content-Type: application/json.', 'an object that came as a text');
SELECT is(shop.error_of(format('SELECT pulse.input_object(%L, %L)', value, '{"a":1}')), 'PL422 what is sent must be a JSON object / Send {"a":1}.', format('%L is none', value))
  FROM unnest(ARRAY['[]', 'null', NULL]) value;

CREATE TEMPORARY TABLE sent AS SELECT '{"t":"x","blank":" \t","n":1.5,"big":1e999999,"small":1e-400,"at":"2026-01-05T10:00:00Z","ms":1767323045678,"null":null,"o":{},"c":"red"}'::json AS input;
SELECT is((SELECT pulse.input_text(input, 't', 1) || coalesce(pulse.input_text(input, 'null', 1), '-') || coalesce(pulse.input_text(input, 'none', 1), '-') FROM sent), 'x--', 'a text, or none');
SELECT is((SELECT (pulse.input_number(input, 'n', 1, 2), pulse.input_number(input, 'null', 1, 2), pulse.input_number(input, 'none', 1, 2))::text FROM sent), '(1.5,,)', 'a number, or none');
SELECT is((SELECT (pulse.input_time(input, 'at') = '2026-01-05 10:00+00', pulse.input_time(input, 'ms') = '2026-01-02 03:04:05.678+00', pulse.input_time(input, 'none'))::text FROM sent), '(t,t,)', 'a time, or none');
SELECT is((SELECT (pulse.input_choice(input, 'c', '{red,blue}'), pulse.input_choice(input, 'null', '{red}'))::text FROM sent), '(red,)', 'one of some words, or none');
SELECT is(shop.error_of(format('SELECT %s FROM sent', call)), error, call) FROM (VALUES
    ($$pulse.input_text(input, 'none', 9, true)$$, 'PL422 none must be a text of 1 to 9 characters / It is needed.'),
    ($$pulse.input_text(input, 'blank', 9)$$, 'PL422 blank must be a text of 1 to 9 characters / Leave it out when there is none.'),
    ($$pulse.input_text(input, 'n', 9)$$, 'PL422 n must be a text of 1 to 9 characters / Leave it out when there is none.'),
    ($$pulse.input_text(input, 'at', 9)$$, 'PL422 at must be a text of 1 to 9 characters / Leave it out when there is none.'),
    ($$pulse.input_number(input, 'none', -1, 2, true)$$, 'PL422 none must be a number from -1 to 2 / It is needed.'),
    ($$pulse.input_number(input, 'big', -1, 2)$$, 'PL422 big must be a number from -1 to 2 / Leave it out when it is not known.'),
    ($$pulse.input_number(input, 'small', -1, 2)$$, 'PL422 small must be a number from -1 to 2 / Leave it out when it is not known.'),
    ($$pulse.input_number(input, 't', -1, 2)$$, 'PL422 t must be a number from -1 to 2 / Leave it out when it is not known.'),
    ($$pulse.input_time(input, 'none', true)$$, 'PL422 none must be a time / Send ISO 8601 with a zone, such as 2026-01-05T10:00:00.000Z, or milliseconds since 1970.'),
    ($$pulse.input_time(input, 'big')$$, 'PL422 big must be a time / Send ISO 8601 with a zone, such as 2026-01-05T10:00:00.000Z, or milliseconds since 1970.'),
    ($$pulse.input_choice(input, 't', '{red,blue}')$$, 'PL422 t must be one of red, blue / Leave it out when there is none.'),
    ($$pulse.input_choice(input, 'o', '{red,blue}', true)$$, 'PL422 o must be one of red, blue / It is needed.')) t (call, error);

SELECT is(pulse.page_size('{"query":{}}', 100) || ' ' || pulse.page_size('{}', 100, 50) || ' ' || pulse.page_size('{"query":{"limit":"7"}}', 100), '100 50 7', 'as many as asked for, else as usual');
SELECT is(shop.error_of(format('SELECT pulse.page_size(%L, 100, 50)', json_build_object('query', json_build_object('limit', value)))),
    'PL422 limit must be a whole number from 1 to 100 / Leave it out for 50.', format('not %L', value)) FROM unnest(ARRAY['0', '101', 'x', '99999999999']) value;

SELECT * FROM finish();
ROLLBACK;
