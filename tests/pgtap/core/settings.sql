-- pulse.define_setting, pulse.configure, pulse.setting.
BEGIN;
SELECT plan(19);

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
SELECT ok((SELECT bool_and(obj_description(oid, 'pg_class') IS NOT NULL) FROM pg_class WHERE oid IN ('_pulse.settings'::regclass, '_pulse.setting_definitions'::regclass)), 'the tables say what they hold');

SELECT * FROM finish();
ROLLBACK;
