-- What holds for the pack as a whole: everything public is explained, nothing private is open, the sample loads twice.
BEGIN;
SELECT plan(14);

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('donors'::regnamespace, '_donors'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL$$,
    'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace = 'donors'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL$$,
    'every public table has a comment');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('donors'::regnamespace, '_donors'::regnamespace) AND (p.prosecdef OR p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'sql'))
                     AND p.prosrc <> 'pulse_enqueue_row' AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%')$$,
    'every SECURITY DEFINER or plpgsql function pins its search_path');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                   WHERE (p.pronamespace = 'donors'::regnamespace AND p.prosecdef OR p.pronamespace = '_donors'::regnamespace AND p.prosrc = 'pulse_enqueue_row') AND a.grantee = 0$$,
    'nobody executes a SECURITY DEFINER function without a grant, nor makes a trigger of what stores jobs as the owner');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
                   WHERE c.relnamespace IN ('donors'::regnamespace, '_donors'::regnamespace) AND a.grantee = 0$$, 'no table is open to everybody');
SELECT ok(NOT has_schema_privilege('pulse_client', '_donors', 'USAGE'), '_donors is private');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace IN ('donors'::regnamespace, '_donors'::regnamespace) AND c.relkind = 'r'
                     AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pulse_donors')$$, 'pg_dump carries the rows of every table');

SELECT is(donors.load_sample()::jsonb, '{"hospitals":3,"donors":123}', 'load_sample: hospitals and donors');
UPDATE donors.presence SET updated_at = now() - interval '1 hour';
SELECT is(donors.load_sample()::jsonb, '{"hospitals":3,"donors":123}', 'load_sample: again');
SELECT is((SELECT (SELECT count(*) FROM donors.donors) || ' ' || (SELECT count(*) FROM donors.blood_inventory)), '123 24', 'load_sample: nothing twice');
SELECT ok((SELECT count(*) > 50 FROM donors.nearby(19.0760, 72.8777, 25, 'AB+', NULL)) AND
          (SELECT array_agg(user_id ORDER BY user_id) FROM donors.nearby(19.0760, 72.8777, 200, 'O-', NULL) WHERE user_id !~ '^sample') = '{asha,chitra}'::text[],
    'load_sample: all are available again, asha, bilal and chitra too');

-- Where others may create in PostGIS's schema, a function of theirs neither runs with the owner's rights nor is in the way.
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('donors'::regnamespace, '_donors'::regnamespace) AND p.proconfig IS NOT NULL
                     AND NOT p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp']$$, 'a pinned search_path has nobody else''s schema in it');
CREATE FUNCTION public.st_distance(geography, geography) RETURNS double precision LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
SELECT throws_ok($$SELECT public.st_distance(p.position, p.position) FROM donors.presence p$$, '42725', NULL, 'the trap works: the name is not unique any more');
INSERT INTO donors.blood_requests (id, requester_id, blood_group, latitude, longitude, country_code)
VALUES ('00000000-0000-4000-8000-00000000000b', 'rohan', 'AB+', 19.0760, 72.8777, 'IN');
SELECT lives_ok($$INSERT INTO donors.blood_request_responses (request_id, donor_id, status) VALUES ('00000000-0000-4000-8000-00000000000b', 'asha', 'accepted');
                  SELECT donors.fan_out('{"requestId":"00000000-0000-4000-8000-00000000000b"}')$$, 'a response and a fan-out step into no trap');

SELECT * FROM finish();
ROLLBACK;
