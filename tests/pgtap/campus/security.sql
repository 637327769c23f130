-- What holds for the pack as a whole: everything public is explained, nothing is granted beyond need, all rows are in a dump.
BEGIN;
SELECT plan(13);

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('campus'::regnamespace, '_campus'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL$$,
    'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace IN ('campus'::regnamespace, '_campus'::regnamespace) AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL$$,
    'every table has a comment');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace IN ('campus'::regnamespace, '_campus'::regnamespace)
                     AND (p.prosecdef OR p.prosqlbody IS NULL) AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)$$,
    'every function binds its names when created, or pins its search_path');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                   WHERE p.pronamespace = 'campus'::regnamespace AND p.prosecdef AND a.grantee = 0$$, 'nobody executes a SECURITY DEFINER function without a grant');
SELECT is(ARRAY(SELECT p.proname::text FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
                 WHERE p.pronamespace = 'campus'::regnamespace AND a.grantee = 'pulse_client'::regrole ORDER BY 1),
    '{assign_issue,delete_issue,get_heatmap,get_issue,get_stats,heatmap_stream,issue_stream,may_join_building,may_join_campus,may_join_organization,on_subscribe,patch_issue,post_issue,resolve_issue,stats_stream}'::text[],
    'pulse_client executes what is registered, and nothing else');
SELECT is_empty($$SELECT p.oid::regprocedure, a.grantee::regrole FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
                   WHERE p.pronamespace IN ('campus'::regnamespace, '_campus'::regnamespace) AND a.grantee NOT IN (0, p.proowner, 'pulse_client'::regrole)$$, 'nobody else is granted a function');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
                   WHERE c.relnamespace IN ('campus'::regnamespace, '_campus'::regnamespace) AND a.grantee <> c.relowner$$, 'tables are the owner''s alone');
SELECT ok(NOT has_schema_privilege('pulse_client', '_campus', 'USAGE') AND NOT has_schema_privilege('public', 'campus', 'CREATE'), '_campus is private, and nobody creates in campus');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace IN ('campus'::regnamespace, '_campus'::regnamespace) AND c.relkind IN ('r', 'S')
                     AND c.oid <> '_campus.refreshes'::regclass
                     AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pulse_campus')$$, 'pg_dump carries the rows of every table but of what was told last');

-- an application's role
INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One');
INSERT INTO campus.campuses (id, organization_id, name) VALUES ('c1', 'org1', 'North');
CREATE ROLE campus_app NOLOGIN;
GRANT INSERT ON campus.issues TO campus_app;
SET LOCAL ROLE campus_app;
SELECT lives_ok($$INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c1', 'Dark', 'ann')$$, 'an application reports issues with no right but that');
SELECT throws_ok($$SELECT campus.stats('org1')$$, '42501', NULL, 'it counts none');
SELECT throws_ok($$SELECT * FROM campus.issues$$, '42501', NULL, 'and sees none');
RESET ROLE;
SELECT results_eq($$SELECT name FROM pulse.events$$, $$VALUES ('issue:created')$$, 'the issue is told');

SELECT * FROM finish();
ROLLBACK;
