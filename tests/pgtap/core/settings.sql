-- pulse.define_setting, pulse.configure, pulse.setting.
BEGIN;
SELECT plan(41);

SELECT lives_ok($$SELECT pulse.define_setting('shop', 'offer_ttl', '60 s', 'how long an offer stands')$$, 'a setting is defined');
SELECT is(pulse.setting('shop', 'offer_ttl'), '60 s', 'it has its default');
SELECT lives_ok($$SELECT pulse.configure('shop', 'offer_ttl', '5 s')$$, 'it is configured');
SELECT is(pulse.setting('shop', 'offer_ttl'), '5 s', 'effective at once');
SELECT lives_ok($$SELECT pulse.define_setting('shop', 'offer_ttl', '90 s', 'how long an offer stands')$$, 'defining it again');
SELECT is(pulse.setting('shop', 'offer_ttl'), '5 s', 'keeps the value');
SELECT lives_ok($$SELECT pulse.configure('shop', 'offer_ttl', NULL)$$, 'null');
SELECT is(pulse.setting('shop', 'offer_ttl'), '90 s', 'goes back to the default');
SELECT lives_ok($$SELECT pulse.configure('shop', 'offer_ttl', '')$$, 'an empty value');
SELECT is(pulse.setting('shop', 'offer_ttl'), '', 'is a value');
SELECT lives_ok($$SELECT pulse.define_setting('shop', E'odd "name" 😀', NULL, '')$$, 'odd names and no default');
SELECT is(pulse.setting('shop', E'odd "name" 😀'), NULL, 'give null');

CREATE FUNCTION pg_temp.hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_hint text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || ' / ' || v_hint;
END
$$;
SELECT is(pg_temp.hint_of($$SELECT pulse.setting('shop', 'offer')$$), '42704 pack "shop" has no setting "offer" / It has: odd "name" 😀, offer_ttl.', 'an unknown name lists the known ones');
SELECT is(pg_temp.hint_of($$SELECT pulse.configure('shop', 'offer', '1')$$), '42704 pack "shop" has no setting "offer" / It has: odd "name" 😀, offer_ttl.', 'also when configured');
SELECT is(pg_temp.hint_of($$SELECT pulse.setting('shoe', 'offer')$$), '42704 no pack "shoe" has settings / Packs with settings: pulse, shop.', 'an unknown pack lists the known ones');
SELECT matches(pg_temp.hint_of($$SELECT pulse.define_setting(NULL, 'x', 'y', 'z')$$), '^22004', 'a null pack is refused');
SELECT is(pg_temp.hint_of($$SELECT pulse.define_setting('pulse', 'idempotency_keep', '1 s', 'x')$$), '42710 setting pulse.idempotency_keep is already defined by extension pulse / Use pulse.configure to give it a value.', 'a pack''s definition is its own');
SELECT is(pulse.setting('pulse', 'idempotency_keep'), '24 hours', 'the engine has settings too');

-- types
SELECT lives_ok($$SELECT pulse.define_setting('shop', 'wait', '5 min', 'x', 'interval', '0', '1 day'), pulse.define_setting('shop', 'many', '10', 'x', 'integer', '1'),
    pulse.define_setting('shop', 'share', '0.5', 'x', 'number', maximum => '1'), pulse.define_setting('shop', 'on', 'yes', 'x', 'boolean')$$, 'settings have types, and bounds');
SELECT is(pg_temp.hint_of(format('SELECT pulse.configure(%L, %L, %L)', 'shop', name, value)), '22023 setting shop.' || name || ' cannot be "' || value || '" / ' || hint, format('%s cannot be "%s"', name, value))
  FROM (VALUES ('wait', 'soon', 'It is a time from 0 to 1 day, such as 5 min, its default.'), ('wait', '', 'It is a time from 0 to 1 day, such as 5 min, its default.'),
               ('wait', '-1 s', 'It is a time from 0 to 1 day, such as 5 min, its default.'), ('wait', '2 days', 'It is a time from 0 to 1 day, such as 5 min, its default.'),
               ('many', '0', 'It is a whole number from 1 on, such as 10, its default.'), ('many', '1.5', 'It is a whole number from 1 on, such as 10, its default.'),
               ('share', 'NaN', 'It is a number up to 1, such as 0.5, its default.'), ('share', 'half', 'It is a number up to 1, such as 0.5, its default.'),
               ('on', 'perhaps', 'It is true or false, such as yes, its default.')) t (name, value, hint);
SELECT lives_ok(format('SELECT pulse.configure(%L, %L, %L)', 'shop', name, value), format('%s can be "%s"', name, value))
  FROM (VALUES ('wait', '1 day'), ('wait', '0'), ('many', ' 12 '), ('share', '-1e10'), ('on', 'off')) t (name, value);
SELECT is(pg_temp.hint_of(statement), refusal, statement) FROM (VALUES
    ($$SELECT pulse.define_setting('shop', 'x', '1', 'x', 'colour')$$, '22023 no setting is of type "colour" / Types: text, interval, integer, number, boolean.'),
    ($$SELECT pulse.define_setting('shop', 'x', '0', 'x', 'integer', '1', '9')$$, '22023 setting shop.x: "0" is not a whole number from 1 to 9 / ')) t (statement, refusal);
-- what was stored before a setting had its type
INSERT INTO _pulse.settings (pack, name, value) VALUES ('shop', 'old', 'rubbish');
SELECT lives_ok($$SELECT pulse.define_setting('shop', 'old', '7', 'x', 'integer')$$, 'a value that is none any more is taken away');
SELECT ok(pulse.setting('shop', 'old') = '7' AND pulse.setting('shop', 'wait') = '0', 'and the default counts; other values stay');
SET LOCAL row_security = off;   -- as the scripts of pg_dump have it
INSERT INTO _pulse.settings (pack, name, value) VALUES ('shop', 'old', 'rubbish');
SELECT matches(pg_temp.hint_of($$SELECT pulse.configure('shop', 'old', 'rubbish')$$), '^22023 setting shop.old cannot be "rubbish"', 'but who configures it is told, with row_security off, too');
SELECT is(current_setting('row_security'), 'off', 'which stays off');
SET LOCAL row_security = on;
SELECT is(pulse.setting('shop', 'old'), '7', 'nor does a restore bring one');
SELECT ok((SELECT bool_and(obj_description(oid, 'pg_class') IS NOT NULL) FROM pg_class WHERE oid IN ('_pulse.settings'::regclass, '_pulse.setting_definitions'::regclass)), 'the tables say what they hold');

SELECT * FROM finish();
ROLLBACK;
