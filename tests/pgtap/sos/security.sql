-- What holds for the pack as a whole: everything public is explained, nothing private is open, nothing is granted beyond need.
BEGIN;
SELECT plan(16);

CREATE VIEW pg_temp.functions AS
    SELECT p.oid, p.proowner, p.oid::regprocedure::text AS signature, n.nspname AS schema, p.proname AS name, p.prosecdef, p.proconfig, p.prosqlbody, l.lanname,
           coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE n.nspname IN ('sos', '_sos');
CREATE VIEW pg_temp.registered AS
    SELECT function FROM _pulse.handlers WHERE extension = 'pulse_sos' UNION SELECT function FROM _pulse.policies WHERE extension = 'pulse_sos'
    UNION SELECT connect FROM _pulse.namespaces WHERE extension = 'pulse_sos' UNION SELECT function FROM _pulse.routes WHERE extension = 'pulse_sos'
    UNION SELECT function FROM _pulse.streams WHERE extension = 'pulse_sos';

SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f WHERE obj_description(f.oid, 'pg_proc') IS NULL$$, 'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace = 'sos'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL$$,
    'every public table and view has a comment');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f
                   WHERE (f.prosecdef OR f.lanname <> 'sql' OR f.prosqlbody IS NULL) AND NOT coalesce(f.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']$$,
    'every function pins its search_path, without anybody else''s schema, or binds its names when it is created');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, aclexplode(f.acl) a WHERE f.schema = 'sos' AND f.prosecdef AND a.grantee = 0$$,
    'nobody executes a SECURITY DEFINER function without a grant');
SELECT is_empty($$SELECT r.function FROM pg_temp.registered r WHERE NOT EXISTS (
                      SELECT FROM pg_temp.functions f, aclexplode(f.acl) a
                       WHERE r.function IN (f.schema || '.' || f.name, f.signature) AND a.grantee = 'pulse_client'::regrole)$$,
    'pulse_client executes what is registered');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, aclexplode(f.acl) a
                   WHERE a.grantee = 'pulse_client'::regrole AND NOT EXISTS (SELECT FROM pg_temp.registered r WHERE r.function IN (f.schema || '.' || f.name, f.signature))$$,
    'and nothing else of the pack');
SELECT is_empty($$SELECT f.signature, a.grantee::regrole FROM pg_temp.functions f, aclexplode(f.acl) a
                   WHERE a.grantee NOT IN (0, f.proowner, 'pulse_client'::regrole)$$, 'nor does any other role');
SELECT is_empty($$SELECT c.oid::regclass, a.grantee FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
                   WHERE c.relnamespace IN ('sos'::regnamespace, '_sos'::regnamespace) AND a.grantee <> c.relowner$$, 'no table, view or sequence is open to anybody but the owner');
SELECT ok(NOT has_schema_privilege('pulse_client', '_sos', 'USAGE'), '_sos is private');
SELECT ok(NOT has_schema_privilege('public', 'sos', 'CREATE'), 'nobody creates in sos');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c
                   WHERE c.relnamespace IN ('sos'::regnamespace, '_sos'::regnamespace) AND c.relkind IN ('r', 'S')
                     AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pulse_sos')$$, 'pg_dump carries the rows of every table');

-- As the role that runs clients' calls.
CREATE FUNCTION pg_temp.as_client(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE pulse_client;
    EXECUTE statement;
    RESET ROLE;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
SELECT is(pg_temp.as_client(statement), '42501', statement)
  FROM unnest(ARRAY['SELECT * FROM sos.cases', 'INSERT INTO sos.participants (case_id, user_id) VALUES (''s'', ''u'')', 'SELECT * FROM sos.active_rooms',
                    'SELECT sos.state(''s'')', 'SELECT sos.clean_up()']) statement;

SELECT * FROM finish();
ROLLBACK;
