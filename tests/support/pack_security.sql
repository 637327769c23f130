-- For pgTAP tests of a pack: `\set pack sos`, `\set undumped ''` (tables that a dump leaves out, on purpose), then this file. Eleven tests of what holds for every
-- pack as a whole: everything is explained, nothing private is open, nothing is granted beyond need, all rows are in a dump. Leaves pg_temp.as_client(statement).
SELECT set_config('test.pack', :'pack', true), set_config('test.undumped', :'undumped', true);
CREATE VIEW pg_temp.schemas AS SELECT n.oid, n.nspname AS name FROM pg_namespace n WHERE n.nspname IN (current_setting('test.pack'), '_' || current_setting('test.pack'));
CREATE VIEW pg_temp.functions AS
    SELECT p.oid, p.proowner, p.oid::regprocedure::text AS signature, s.name AS schema, p.proname AS name, p.prosecdef, p.proconfig, p.prosqlbody, l.lanname, CASE WHEN l.lanname = 'c' THEN p.prosrc END AS symbol,
           coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
      FROM pg_proc p JOIN pg_temp.schemas s ON s.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE l.lanname <> 'internal';   -- those of a range type are PostgreSQL's
CREATE VIEW pg_temp.registered AS
    SELECT r.function FROM (SELECT function, extension FROM _pulse.handlers UNION SELECT function, extension FROM _pulse.policies UNION SELECT connect, extension FROM _pulse.namespaces
                            UNION SELECT function, extension FROM _pulse.routes UNION SELECT function, extension FROM _pulse.streams) r
     WHERE r.extension = 'pulse_' || current_setting('test.pack');

SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f WHERE obj_description(f.oid, 'pg_proc') IS NULL$$, 'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c JOIN pg_temp.schemas s ON s.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL$$, 'every table and view has a comment');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f
                   WHERE (f.prosecdef OR f.lanname <> 'sql' OR f.prosqlbody IS NULL) AND f.symbol IS DISTINCT FROM 'pulse_enqueue_row' AND NOT coalesce(f.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']$$,
    'every function pins its search_path, without anybody else''s schema, or binds its names when it is created');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, aclexplode(f.acl) a WHERE (f.schema = current_setting('test.pack') AND f.prosecdef OR f.symbol = 'pulse_enqueue_row') AND a.grantee = 0$$,
    'nobody executes a SECURITY DEFINER function without a grant, nor makes a trigger of what stores jobs as the owner');
SELECT is_empty($$SELECT r.function FROM pg_temp.registered r WHERE NOT EXISTS (
                      SELECT FROM pg_temp.functions f, aclexplode(f.acl) a
                       WHERE r.function IN (f.schema || '.' || f.name, f.signature) AND a.grantee = 'pulse_client'::regrole)$$, 'pulse_client executes what is registered');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, aclexplode(f.acl) a
                   WHERE a.grantee = 'pulse_client'::regrole AND NOT EXISTS (SELECT FROM pg_temp.registered r WHERE r.function IN (f.schema || '.' || f.name, f.signature))$$,
    'and nothing else of the pack');
SELECT is_empty($$SELECT f.signature, a.grantee::regrole FROM pg_temp.functions f, aclexplode(f.acl) a
                   WHERE a.grantee NOT IN (0, f.proowner, 'pulse_client'::regrole)$$, 'nor does any other role');
SELECT is_empty($$SELECT c.oid::regclass, a.grantee FROM pg_class c JOIN pg_temp.schemas s ON s.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) a WHERE a.grantee <> c.relowner$$,
    'no table, view or sequence is open to anybody but the owner');
SELECT ok(NOT has_schema_privilege('pulse_client', '_' || :'pack', 'USAGE'), 'the private schema is private');
SELECT ok(NOT has_schema_privilege('public', :'pack', 'CREATE'), 'nobody creates in the public one');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c JOIN pg_temp.schemas s ON s.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'S') AND s.name || '.' || c.relname <> ALL (string_to_array(current_setting('test.undumped'), ' '))
                     AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pulse_' || current_setting('test.pack'))$$,
    'pg_dump carries the rows of every table');

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
