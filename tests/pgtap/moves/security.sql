-- What holds for the pack as a whole: everything public is explained, nothing is granted beyond need, all rows are in a dump.
BEGIN;
SELECT plan(12);

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('moves'::regnamespace, '_moves'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL$$,
    'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace IN ('moves'::regnamespace, '_moves'::regnamespace) AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL$$,
    'every table has a comment');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('moves'::regnamespace, '_moves'::regnamespace)
                     AND (p.prosecdef OR p.prosqlbody IS NULL) AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)$$,
    'every function binds its names when created, or pins its search_path');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                   WHERE p.pronamespace = 'moves'::regnamespace AND p.prosecdef AND a.grantee = 0$$, 'nobody executes a SECURITY DEFINER function without a grant');
SELECT is(ARRAY(SELECT p.proname::text FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
                 WHERE p.pronamespace = 'moves'::regnamespace AND a.grantee = 'pulse_client'::regrole ORDER BY 1),
    '{connect_admin,connect_client,connect_porter,get_location,get_messages,get_order,may_join_order,on_availability,on_chat_message,on_location_update,on_offer_accept,on_offer_reject,on_order_subscribe,on_order_unsubscribe,post_socket_token}'::text[],
    'pulse_client executes what is registered, and nothing else');
SELECT is_empty($$SELECT p.oid::regprocedure, a.grantee::regrole FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
                   WHERE p.pronamespace IN ('moves'::regnamespace, '_moves'::regnamespace) AND a.grantee NOT IN (0, p.proowner, 'pulse_client'::regrole)$$, 'nobody else is granted a function');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
                   WHERE c.relnamespace IN ('moves'::regnamespace, '_moves'::regnamespace) AND a.grantee <> c.relowner$$, 'tables are the owner''s alone');
SELECT ok(NOT has_schema_privilege('pulse_client', '_moves', 'USAGE') AND NOT has_schema_privilege('public', 'moves', 'CREATE'), '_moves is private, and nobody creates in moves');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace IN ('moves'::regnamespace, '_moves'::regnamespace) AND c.relkind IN ('r', 'S')
                     AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pulse_moves')$$, 'pg_dump carries the rows of every table');

-- an application's role
CREATE ROLE moves_app NOLOGIN;
GRANT INSERT, UPDATE, SELECT ON moves.orders, moves.job_offers, moves.job_offer_porters TO moves_app;
SET LOCAL ROLE moves_app;
SELECT lives_ok($$INSERT INTO moves.orders (id, customer_id) VALUES ('o1', 'ann'); INSERT INTO moves.job_offers (id, order_id) VALUES ('j1', 'o1');
                  INSERT INTO moves.job_offer_porters (offer_id, porter_id) VALUES ('j1', 'pat'); UPDATE moves.orders SET status = 'cancelled'$$,
    'an application offers jobs with no rights but those on three tables');
SELECT throws_ok($$SELECT moves.mint_access_token('ann', 'admin')$$, '42501', NULL, 'it makes no tokens');
SELECT throws_ok($$SELECT * FROM moves.porter_positions$$, '42501', NULL, 'and sees no positions');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
