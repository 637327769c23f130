-- Who may do what: walks the catalog, so that a new object cannot slip through. The lists here are docs/reference/roles.md.
BEGIN;
SELECT plan(56);

CREATE VIEW pg_temp.functions AS
    SELECT p.oid, p.oid::regprocedure::text AS signature, n.nspname || '.' || p.proname AS name, p.prosecdef, l.lanname, p.proconfig,
           coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE n.nspname IN ('pulse', '_pulse');
CREATE FUNCTION pg_temp.executable_by(role regrole) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT f.name FROM pg_temp.functions f, aclexplode(f.acl) a WHERE a.grantee = role AND a.privilege_type = 'EXECUTE' ORDER BY 1 $$;

SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f
    WHERE (f.prosecdef OR f.lanname NOT IN ('c', 'sql')) AND NOT EXISTS (SELECT FROM unnest(f.proconfig) c WHERE c LIKE 'search_path=%')$$,
    'every SECURITY DEFINER or procedural function pins its search_path');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f JOIN pg_proc p ON p.oid = f.oid
    WHERE f.lanname = 'sql' AND p.prosqlbody IS NULL AND NOT EXISTS (SELECT FROM unnest(f.proconfig) c WHERE c LIKE 'search_path=%')$$,
    'an SQL function binds its names when created, or pins its search_path');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, unnest(f.proconfig) c WHERE c LIKE 'search_path=%' AND c !~ 'pg_temp$'$$,
    'a pinned search_path puts pg_temp last');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f WHERE obj_description(f.oid, 'pg_proc') IS NULL$$, 'every function has a comment');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pulse' AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND obj_description(c.oid, 'pg_class') IS NULL$$, 'every public table and view has a comment');
SELECT is_empty($$SELECT t.oid::regtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = 'pulse' AND t.typtype IN ('d', 'e', 'r') AND obj_description(t.oid, 'pg_type') IS NULL$$, 'every public type has a comment');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f JOIN pg_proc p ON p.oid = f.oid
    WHERE NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e' AND e.extname = 'pulse')$$,
    'every function belongs to the extension');

-- functions
SELECT is(ARRAY(SELECT DISTINCT f.name FROM pg_temp.functions f, aclexplode(f.acl) a WHERE a.grantee = 0 ORDER BY 1),
    ARRAY['pulse.ask', 'pulse.attach', 'pulse.attachments', 'pulse.auth', 'pulse.claim', 'pulse.claims', 'pulse.discard_job', 'pulse.disconnect', 'pulse.fail', 'pulse.history', 'pulse.http_response', 'pulse.input_choice', 'pulse.input_number', 'pulse.input_object', 'pulse.input_text', 'pulse.input_time', 'pulse.iso8601', 'pulse.job_id', 'pulse.join', 'pulse.last_seen', 'pulse.leave', 'pulse.next_slot', 'pulse.page_size', 'pulse.position', 'pulse.presence', 'pulse.presence_count', 'pulse.reply', 'pulse.reply_args',
          'pulse.require_user', 'pulse.room_part', 'pulse.session_data', 'pulse.session_id', 'pulse.setting', 'pulse.socket_id', 'pulse.take', 'pulse.to_time', 'pulse.to_uuid', 'pulse.track', 'pulse.untrack', 'pulse.user_id'], 'PUBLIC executes what only tells or acts inside a call, and what asks about the caller itself');
SELECT is(ARRAY(SELECT * FROM pg_temp.executable_by('pulse_bridge')),
    ARRAY['pulse.bridge_hello', 'pulse.bridge_history', 'pulse.bridge_read', 'pulse.bridge_revocations', 'pulse.bridge_sessions', 'pulse.decide', 'pulse.handle', 'pulse.handle_answer', 'pulse.handle_connect', 'pulse.handle_event', 'pulse.handle_refresh', 'pulse.handle_request', 'pulse.queue_depths', 'pulse.status'], 'pulse_bridge executes the bridge''s functions alone');
SELECT is(ARRAY(SELECT * FROM pg_temp.executable_by('pulse_client')), ARRAY['pulse.evict', 'pulse.is_own_user_room', 'pulse.sampled', 'pulse.sms_status'], 'pulse_client executes the engine''s policy and route, evicts and samples');
SELECT is_empty($$SELECT f.signature, a.grantee::regrole FROM pg_temp.functions f, aclexplode(f.acl) a WHERE f.name LIKE '\_pulse.%' AND a.grantee = 0$$, 'PUBLIC executes nothing private');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, aclexplode(f.acl) a JOIN pg_roles r ON r.oid = a.grantee
    WHERE f.name IN ('pulse.bridge_hello', 'pulse.bridge_history', 'pulse.bridge_read', 'pulse.bridge_revocations', 'pulse.bridge_sessions', 'pulse.decide', 'pulse.handle', 'pulse.handle_answer', 'pulse.handle_connect', 'pulse.handle_event', 'pulse.handle_refresh', 'pulse.handle_request') AND r.rolname NOT IN ('pulse_bridge', current_user)$$,
    'nobody else executes those of the bridge');

-- schemas and tables
SELECT is(has_schema_privilege('public', 'pulse', 'USAGE'), true, 'everybody may use the schema pulse');
SELECT is(has_schema_privilege('public', 'pulse', 'CREATE'), false, 'and create nothing there');
SELECT is_empty($$SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('pulse_client', 'pulse_bridge', 'pulse_publisher', 'pulse_admin')
    AND (has_schema_privilege(r.rolname, '_pulse', 'USAGE') OR has_schema_privilege(r.rolname, '_pulse', 'CREATE'))$$, 'no role may look into _pulse');
SELECT is_empty($$SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
    WHERE n.nspname IN ('pulse', '_pulse') AND a.grantee <> c.relowner AND c.oid NOT IN ('_pulse.event_id'::regclass)
      AND NOT (c.relkind = 'v' AND c.oid IN ('pulse.jobs'::regclass, 'pulse.dead_letters'::regclass, 'pulse.queues'::regclass, 'pulse.schedules'::regclass, 'pulse.sms_reports'::regclass) AND a.grantee = 'pulse_admin'::regrole AND a.privilege_type = 'SELECT')$$,
    'tables are the owner''s alone, but for the views of the queue, which pulse_admin reads');
SELECT is_empty($$SELECT f.signature FROM pg_temp.functions f, aclexplode(f.acl) a
    WHERE f.name IN ('pulse.cancel', 'pulse.retry', 'pulse.redrive', 'pulse.purge', 'pulse.purge_queue', 'pulse.pause_queue', 'pulse.resume_queue', 'pulse.resume_queues', 'pulse.configure_queue',
                     'pulse.drop_queue', 'pulse.job_kind', 'pulse.drop_job_kind', 'pulse.job', 'pulse.fetch_jobs', 'pulse.ack', 'pulse.nack', 'pulse.heartbeat')
      AND a.grantee NOT IN ('pulse_admin'::regrole, (SELECT p.proowner FROM pg_proc p WHERE p.oid = f.oid))$$, 'queues are pulse_admin''s');
SELECT is_empty($$SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('pulse_client', 'pulse_bridge', 'pulse_publisher', 'pulse_admin')
    AND (r.rolsuper OR r.rolcanlogin OR r.rolcreaterole OR r.rolcreatedb OR r.rolbypassrls OR r.rolreplication)$$, 'the roles have no attribute of their own');
SELECT is_empty($$SELECT m.roleid::regrole, m.member::regrole FROM pg_auth_members m
    WHERE m.member IN ('pulse_client'::regrole, 'pulse_bridge'::regrole, 'pulse_publisher'::regrole)
      AND m.roleid IN ('pulse_client'::regrole, 'pulse_bridge'::regrole, 'pulse_publisher'::regrole, 'pulse_admin'::regrole)$$, 'and are no members of each other');

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('pulse'::regnamespace, '_pulse'::regnamespace) AND p.proparallel <> 'u' AND p.prosrc ~ 'EXCEPTION\s+WHEN'$$,
    'what begins a subtransaction is in no parallel plan');

-- a search_path full of traps: our own SQL must not step into them
CREATE SCHEMA trap;
CREATE FUNCTION trap.equal(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop, trap TO pulse_client;
CREATE FUNCTION shop.answer(args json) RETURNS json LANGUAGE sql RETURN '1'::json;
CREATE FUNCTION shop.stream(request json) RETURNS json LANGUAGE sql RETURN '{"rooms":["shop:1"]}'::json;
CREATE FUNCTION shop.yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true;
CREATE FUNCTION shop.trapped(statement text) RETURNS text LANGUAGE plpgsql SET search_path = trap, pg_catalog, public AS $$
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END
$$;
SELECT is(shop.trapped($$SELECT 'a'::text = 'b'::text$$), 'trapped', 'the trap works');
SELECT is(shop.trapped($$SELECT pulse.on('answer', 'shop.answer', key => '{id}'), pulse.policy('shop:{id}', 'join', 'shop.yes'), pulse.stream('/shop', 'shop.stream', 'none'), pulse.route('POST', '/shop', 'shop.answer', 'none')$$), NULL, 'registering steps into no trap');
SELECT is(shop.trapped($$SELECT pulse.handle('/', 'answer', '[{"id":1}]', '{"userId":"ann"}')$$), NULL, 'handling neither');
SELECT is(shop.trapped($$SELECT pulse.decide('[{"operation":"join","room":"shop:1","context":{}}]'), pulse.handle_connect('/', '{}'), pulse.bridge_hello('b')$$), NULL, 'deciding neither');
SELECT is(shop.trapped($$SELECT pulse.handle_request('GET', '/shop', '{}', '{"cursor":"x:1"}'), pulse.handle_request('POST', '/shop', '{}', '{}')$$), NULL, 'opening a stream and answering a request neither');
SELECT is(shop.trapped($$SELECT pulse.setting('pulse', 'idempotency_keep'), pulse.configure('pulse', 'idempotency_keep', '1 h')$$), NULL, 'settings neither');
SELECT is(shop.trapped($$SELECT pulse.bridge_read(0, 1)$$), NULL, 'reading neither');
SELECT is(shop.trapped($$SELECT pulse.publish('shop:1', 'sold', '{}'::json, idempotency_key => 'k1'), pulse.publish('shop:1', 'sold', '{}'::json, idempotency_key => 'k1')$$), NULL, 'publishing neither');
SELECT is(shop.trapped($$SELECT pulse.handle_connect('/', '{"userId":"ann","sessionId":"k","bridge":"b","pid":"p"}'), pulse.bridge_sessions('b', '[{"key":"k","ended":true}]'), pulse.sessions('ann')$$), NULL, 'keeping sessions neither');
SELECT is(shop.trapped($$SELECT pulse.evict('shop:1', 'ann', 'left'), pulse.revoke('mallory'), pulse.bridge_revocations()$$), NULL, 'evicting and revoking neither');
SELECT is(shop.trapped($$SELECT pulse.position(), pulse.status()$$), NULL, 'telling the status neither');
SELECT is(shop.trapped($$SELECT pulse.configure_queue('q', concurrency => 1, events => true), pulse.job_kind('k', 'sms'), pulse.enqueue('q', 'k', '{}', unique_key => 'k'), pulse.enqueue_many('q', 'k', '{"{}","{}"}'),
    pulse.enqueue_many('q', 'k', '{"{}"}', unique_keys => '{k}', unique_mode => 'replace')$$), NULL, 'enqueuing neither');
SELECT is(shop.trapped($$SELECT pulse.retry(1), pulse.cancel((SELECT min(id) FROM pulse.jobs)), pulse.redrive(), pulse.purge(), pulse.pause_queue('q'), pulse.resume_queue('q'), pulse.purge_queue('q'), pulse.drop_queue('q'),
    pulse.drop_job_kind('k'), _pulse.rotate_job_history(), _pulse.check_queue_origin(), (SELECT count(*) FROM pulse.queues)$$), NULL, 'and managing queues neither');

-- the bridge's role at work, with nothing but its own rights
CREATE FUNCTION shop.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RESET ROLE;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION shop.who(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.join('shop:1');
    RETURN CASE WHEN current_user = 'pulse_client' THEN 'null' ELSE pulse.fail('conflict', current_user) END;
END
$$;
CREATE FUNCTION shop.calls_handle(args json) RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT h.ack FROM pulse.handle('/', 'who', '[]', '{"userId":"root"}') h; END;
SELECT pulse.on('who', 'shop.who', key => '{id}'), pulse.on('calls_handle', 'shop.calls_handle');
SELECT is(shop.as_role('pulse_bridge', statement), NULL, 'pulse_bridge can: ' || statement)
    FROM unnest(ARRAY[$$SELECT pulse.bridge_hello('b')$$, $$SELECT * FROM pulse.bridge_read(0, 10)$$, $$SELECT pulse.handle_connect('/', '{"userId":"ann"}')$$,
        $$SELECT * FROM pulse.handle('/', 'who', '[{"id":7}]', '{"userId":"ann"}')$$, $$SELECT * FROM pulse.decide('[{"operation":"join","room":"shop:1","context":{}}]')$$,
        $$SELECT pulse.bridge_sessions('b', '[]')$$, $$SELECT pulse.bridge_revocations()$$,
        $$SELECT pulse.handle_request('GET', '/shop', '{}', '{}')$$, $$SELECT pulse.handle_answer('shop.answer', NULL, '{}')$$]) statement;
SELECT matches(shop.as_role('pulse_bridge', statement), '^42501 permission denied', 'pulse_bridge cannot: ' || statement)
    FROM unnest(ARRAY['SELECT FROM pulse.events', 'SELECT FROM pulse.ticks', 'SELECT FROM _pulse.epochs', $$SELECT pulse.publish('a', 'b', '1'::json)$$, $$SELECT pulse.on('x', 'shop.who')$$,
        $$SELECT pulse.configure('pulse', 'idempotency_keep', '1 s')$$, $$SELECT pulse.evict('a')$$, $$SELECT pulse.revoke('ann')$$]) statement;
SELECT matches(shop.as_role(role, $$SELECT pulse.mint_token('{"userId":"ann"}')$$), '^42501 permission denied for function mint_token', role || ' makes no tokens')
    FROM unnest(ARRAY['pulse_client', 'pulse_bridge', 'pulse_publisher']) role;
SELECT matches(shop.as_role('pulse_admin', $$SET pulse.jwt_secret_file = '/etc/hostname'$$), '^42501 permission denied to set parameter', 'pulse_admin says not with which secret');
SELECT matches(shop.as_role('pulse_bridge', $$SELECT pulse.handle('/', 'calls_handle', '[]', '{}')$$), '^42501 permission denied for function handle', 'a handler cannot act as another client');
SELECT matches(shop.as_role('pulse_client', $$SELECT pulse.handle('/', 'who', '[]', '{}')$$), '^42501 permission denied for function handle', 'pulse_client cannot call the bridge''s functions');

SELECT * FROM finish();
ROLLBACK;
