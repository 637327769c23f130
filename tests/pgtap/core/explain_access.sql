-- pulse.explain_access, and by it the documented order in which one of several policies is chosen.
BEGIN;
SELECT plan(41);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
CREATE FUNCTION shop.yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION shop.nothing(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN NULL::boolean;
CREATE FUNCTION shop.own(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE
    RETURN pulse.user_id() = params ->> 'id' AND pulse.claim('role') = 'owner' AND claims ->> 'role' = 'owner';
CREATE FUNCTION shop.broken(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such table of secrets'; END $$;
CREATE FUNCTION shop.says_why(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN RETURN pulse.fail('forbidden', 'Not a member') IS NULL; END $$;
CREATE FUNCTION shop.writes(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN PERFORM pulse.publish('a', 'b', '1'::json); RETURN true; END $$;
CREATE FUNCTION shop.stores(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM lo_from_bytea(424242, 'kept'); RETURN true; END $$;
CREATE FUNCTION shop.tries(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lo_from_bytea(424243, 'tried');
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
    RETURN true;
END $$;
CREATE FUNCTION shop.made_up(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a teapot with secrets' USING ERRCODE = 'PL418'; END $$;
CREATE FUNCTION shop.joins(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM pulse.join('shop:1'); RETURN true; END $$;
CREATE FUNCTION shop.gone(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION shop.private(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION shop.policy(pattern text, function text) RETURNS void LANGUAGE sql AS $$ SELECT pulse.policy(pattern, 'join', function) $$;
-- As a pack would have it.
CREATE FUNCTION shop.pack_policy(pattern text, function text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO _pulse.policies (pattern, operation, function, extension) VALUES (pattern, 'join', function, 'pulse') $$;
CREATE FUNCTION shop.explain(room text, claims json DEFAULT '{}', operation text DEFAULT 'join') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' | ', e.allowed, e.pattern, e.function, e.extension, e.reason) FROM pulse.explain_access(claims, operation, room) e $$;
CREATE FUNCTION shop.chosen(room text) RETURNS text LANGUAGE sql AS $$ SELECT e.pattern FROM pulse.explain_access('{}', 'join', room) e $$;

-- what it says
SELECT is(shop.explain('shop:1'), 'f | no policy allows to join this room', 'deny by default');
SELECT shop.policy('shop:{id}', 'shop.own');
SELECT is(shop.explain('shop:ann', '{"userId":"ann","role":"owner"}'), 't | shop:{id} | shop.own | allowed by the policy of "shop:{id}"', 'the policy that decides, run with these claims');
SELECT is(shop.explain('shop:ann', '{"sub":"ann","role":"owner"}'), 't | shop:{id} | shop.own | allowed by the policy of "shop:{id}"', 'the user is sub where there is no userId');
SELECT is(shop.explain('shop:7', '{"userId":7,"role":"owner"}'), 't | shop:{id} | shop.own | allowed by the policy of "shop:{id}"', 'or a number');
SELECT is(shop.explain('shop:ann', '{"userId":"bob","sub":"ann","role":"owner"}'), 'f | shop:{id} | shop.own | refused by the policy of "shop:{id}"', 'another user is refused');
SELECT is(shop.explain('shop:ann', '{"userId":"ann","role":"guest"}'), 'f | shop:{id} | shop.own | refused by the policy of "shop:{id}"', 'or another role');
SELECT is(shop.explain('shop:ann', NULL), 'f | shop:{id} | shop.own | refused by the policy of "shop:{id}"', 'no claims are an anonymous client');
SELECT is(shop.explain('shop:ann', '{"userId":"ann","role":"owner"}', 'history'), 'f | no policy allows to history this room', 'each operation has its own');
SELECT is(shop.explain('shop:ann', '{}', 'steal'), 'f | unknown operation "steal"; known: join, publish, history, presence', 'an unknown one is named');
SELECT shop.policy('null:{id}', 'shop.nothing'), shop.policy('broken:{id}', 'shop.broken'), shop.policy('why:{id}', 'shop.says_why'),
       shop.policy('writes:{id}', 'shop.writes'), shop.policy('stores:{id}', 'shop.stores'), shop.policy('tries:{id}', 'shop.tries'), shop.policy('made_up:{id}', 'shop.made_up'), shop.policy('joins:{id}', 'shop.joins'), shop.policy('gone:{id}', 'shop.gone'), shop.policy('private:{id}', 'shop.private');
DROP FUNCTION shop.gone(json, text, json);
REVOKE ALL ON FUNCTION shop.private(json, text, json) FROM PUBLIC;
SELECT is(shop.explain('null:1'), 'f | null:{id} | shop.nothing | refused by the policy of "null:{id}"', 'NULL denies');
SELECT is(shop.explain('why:1'), 'f | why:{id} | shop.says_why | Not a member', 'what the policy says to the client');
SELECT is(shop.explain('broken:1'), 'f | broken:{id} | shop.broken | the policy of "broken:{id}" failed: no such table of secrets', 'an error denies, and is told here');
SELECT is(shop.explain('writes:1'), 'f | writes:{id} | shop.writes | the policy of "writes:{id}" failed: cannot publish in a read-only transaction', 'policies write nothing');
SELECT is(shop.explain('stores:1'), 'f | stores:{id} | shop.stores | the policy of "stores:{id}" failed: a policy has written something: temporary tables and blocks that are rolled back count, too', 'large objects neither, which PostgreSQL 15 lets read-only transactions write');
SELECT is(shop.explain('tries:1'), 'f | tries:{id} | shop.tries | the policy of "tries:{id}" failed: a policy has written something: temporary tables and blocks that are rolled back count, too', 'nor what a block has rolled back');
SELECT is_empty('SELECT FROM pg_largeobject_metadata m WHERE m.oid = 424242', 'and nothing of them stays');
SELECT is((SELECT array_agg(d.allowed ORDER BY d.n) FROM pulse.decide('[{"operation":"join","room":"shop:ann","context":{"userId":"ann","claims":{"userId":"ann","role":"owner"}}},{"operation":"join","room":"stores:1","context":{}},{"operation":"join","room":"shop:ann","context":{"userId":"ann","claims":{"userId":"ann","role":"owner"}}}]') d),
    '{t,f,t}'::boolean[], 'who asks beside it has his own answer');
SELECT is(shop.explain('joins:1'), 'f | joins:{id} | shop.joins | the policy of "joins:{id}" failed: pulse.join works only in a handler', 'and ask for nothing');
SELECT is(shop.explain('gone:1'), 'f | gone:{id} | shop.gone | the policy of "gone:{id}" failed: the registered function shop.gone is gone or has another signature; pulse.policy needs a function f(claims json, room text, params json) returns boolean.', 'a function that is gone denies');
SELECT is(shop.explain('private:1'), 'f | private:{id} | shop.private | the policy of "private:{id}" failed: pulse_client cannot execute shop.private; GRANT EXECUTE ON FUNCTION shop.private(json, text, json) TO pulse_client;', 'a right that is missing is named');
SELECT is(shop.explain(repeat('a', 256)) LIKE 'f | %', true, 'a name that is too long is refused');
SELECT is(shop.explain('') LIKE 'f | %', true, 'an empty one too');
SELECT is(shop.explain('pulse:anything') LIKE 'f | %', true, 'and the engine''s own rooms');
SELECT is(shop.explain('user:ann', '{"userId":"ann"}'), 't | user:{userId} | pulse.is_own_user_room | pulse | allowed by the policy of "user:{userId}"', 'the engine''s own policy, with its extension');

-- errors count where clients are decided about, not here
CREATE TEMPORARY TABLE counted AS SELECT (pulse.status() -> 'counters' ->> 'policyErrors')::int AS errors;
SELECT shop.explain('broken:1');
SELECT is((pulse.status() -> 'counters' ->> 'policyErrors')::int - errors, 0, 'explaining counts no error') FROM counted;
SELECT is((SELECT d.allowed || ' ' || d.reason FROM pulse.decide('[{"operation":"join","room":"broken:1","context":{}}]') d), 'false the policy of "broken:{id}" failed', 'a client is denied in general words');
SELECT is((SELECT d.allowed || ' ' || d.reason || ' ' || coalesce(d.error::text, 'no words') FROM pulse.decide('[{"operation":"join","room":"made_up:1","context":{}}]') d), 'false the policy of "made_up:{id}" failed no words', 'an error code that no client knows is an error like any other');
SELECT cmp_ok((pulse.status() -> 'counters' ->> 'policyErrors')::int - errors, '>=', 1, 'and the error is counted') FROM counted;

-- arguments, rights
SELECT is(shop.error_of($$SELECT pulse.explain_access('[]', 'join', 'a')$$), '22023 claims is no JSON object', 'claims are an object');
SELECT is(shop.error_of($$SELECT pulse.explain_access('{"userId":1.5,"sub":"ann"}', 'join', 'a')$$), '22023 the claim userId is no text and no whole number', 'a token that bridges refuse is refused');
SELECT is(shop.error_of($$SELECT pulse.explain_access('{}', NULL, 'a')$$), 'PL400 operation is missing', 'an operation is named');
SELECT is(shop.error_of($$SELECT pulse.explain_access('{}', 'join', NULL)$$), 'PL400 room is missing', 'a room too');
SELECT is(pulse.user_id(), NULL, 'nothing of the claims stays');
SELECT is(coalesce(current_setting('request.jwt.claims', true), ''), '', 'not in the setting either');

-- which one decides
SELECT shop.policy('{a}:{b}', 'shop.yes'), shop.policy('x{a}:{b}', 'shop.yes'), shop.policy('{a}:y', 'shop.yes');
SELECT is(shop.chosen('q:r'), '{a}:{b}', 'one that matches');
SELECT is(shop.chosen('xq:r'), 'x{a}:{b}', 'more literal text wins');
SELECT is(shop.chosen('xq:y'), '{a}:y', 'with as much of it, fewer placeholders');
SELECT shop.policy('m:{a}:n', 'shop.yes'), shop.policy('m:n:{a}', 'shop.yes');
SELECT is(shop.chosen('m:n:n'), 'm:n:{a}', 'then the pattern''s text in byte order');
SELECT shop.pack_policy('k:l:{a}', 'shop.yes'), shop.policy('k:{a}:l', 'shop.yes');
SELECT is(shop.chosen('k:l:l'), 'k:{a}:l', 'but the application''s before a pack''s');
SELECT shop.pack_policy('k:l:l', 'shop.nothing');
SELECT is(shop.explain('k:l:l'), 'f | k:l:l | shop.nothing | pulse | refused by the policy of "k:l:l"', 'a pack''s that is more specific wins over the application''s, and it alone is asked');
SELECT shop.policy('k:l:l', 'shop.yes');
SELECT is(shop.explain('k:l:l'), 't | k:l:l | shop.yes | allowed by the policy of "k:l:l"', 'of one pattern the application''s counts');

SELECT * FROM finish();
ROLLBACK;
