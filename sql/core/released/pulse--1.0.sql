-- complain if this script is sourced by psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION pulse" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;

-- core/schema/roles.sql
-- Group roles; a DBA grants them to login roles. Roles belong to the cluster, so they outlive the extension.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['pulse_client', 'pulse_bridge', 'pulse_publisher', 'pulse_admin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = v_role) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', v_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;   -- another database of this cluster created it at the same moment
            END;
        END IF;
    END LOOP;
END
$$;

-- core/schema/schemas.sql
-- pulse is public API, _pulse is private.
CREATE SCHEMA pulse;
CREATE SCHEMA _pulse;
COMMENT ON SCHEMA pulse IS 'pulse: publish, rooms, policies, handlers, jobs (public API)';
COMMENT ON SCHEMA _pulse IS 'pulse: private, may change with any version';
GRANT USAGE ON SCHEMA pulse TO PUBLIC;
REVOKE ALL ON SCHEMA _pulse FROM PUBLIC;

-- core/schema/events.sql
-- The durable log: one row an event, written in the publisher's own transaction.
-- Nothing here may make an insert fail later: no foreign keys, no checks. All is validated before.
CREATE SEQUENCE _pulse.event_id AS bigint CACHE 1;

CREATE TABLE pulse.events (
    id            bigint NOT NULL,
    xid           xid8 NOT NULL,
    slot          smallint NOT NULL,
    at            timestamptz NOT NULL,
    name          text NOT NULL,
    rooms         text[] NOT NULL,
    payload       json NOT NULL,
    headers       json NOT NULL,
    attachments   bytea[],
    partition_key text,
    channel       text
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.events_0 PARTITION OF pulse.events FOR VALUES IN (0);
CREATE TABLE _pulse.events_1 PARTITION OF pulse.events FOR VALUES IN (1);
CREATE TABLE _pulse.events_2 PARTITION OF pulse.events FOR VALUES IN (2);
CREATE INDEX events_xid_id_idx ON pulse.events (xid, id);

COMMENT ON TABLE pulse.events IS 'published events, one row each, in the publisher''s transaction; emptied by slot when old';
COMMENT ON COLUMN pulse.events.id IS 'number in the order of publishing';
COMMENT ON COLUMN pulse.events.xid IS 'top-level transaction that published it';
COMMENT ON COLUMN pulse.events.slot IS 'partition, rotated by time';
COMMENT ON COLUMN pulse.events.rooms IS 'whom it is addressed to, each once';
COMMENT ON COLUMN pulse.events.payload IS 'compact JSON text, key order and numbers as published';
COMMENT ON COLUMN pulse.events.headers IS 'traceparent, actor, exceptSession, idempotencyKey';
COMMENT ON COLUMN pulse.events.channel IS 'legacy NOTIFY channel';

-- Publishers that use the same key wait for each other; nobody else does.
CREATE TABLE _pulse.idempotency_keys (
    key      text COLLATE "C" NOT NULL,
    event_id bigint NOT NULL,
    at       timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
);
CREATE INDEX idempotency_keys_at_idx ON _pulse.idempotency_keys (at);

-- core/schema/dispatch.sql
-- What the dispatcher writes: epochs, one tick a transaction, one delivery a room of an event, and poison events.
-- Progress lives only in appended ticks: an updated row would bloat under a held snapshot.
CREATE TABLE _pulse.epochs (
    number         bigint GENERATED ALWAYS AS IDENTITY,
    epoch          text NOT NULL,
    channel        text NOT NULL,
    after_position bigint NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT epochs_pkey PRIMARY KEY (number),
    CONSTRAINT epochs_epoch_key UNIQUE (epoch)
);
COMMENT ON COLUMN _pulse.epochs.after_position IS 'last position of the epoch before; the first one here is one more';

CREATE TABLE pulse.deliveries (
    room     text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    xid      xid8 NOT NULL,
    event_id bigint NOT NULL,
    slot     smallint NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.deliveries_0 PARTITION OF pulse.deliveries FOR VALUES IN (0);
CREATE TABLE _pulse.deliveries_1 PARTITION OF pulse.deliveries FOR VALUES IN (1);
CREATE TABLE _pulse.deliveries_2 PARTITION OF pulse.deliveries FOR VALUES IN (2);
CREATE INDEX deliveries_room_position_idx ON pulse.deliveries (room, position);
COMMENT ON TABLE pulse.deliveries IS 'which event stands at which position of which room';

CREATE TABLE pulse.ticks (
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    slot           smallint NOT NULL,
    at             timestamptz NOT NULL,
    before         pg_snapshot NOT NULL,
    upto           pg_snapshot NOT NULL,
    done_id        bigint,
    xids           xid8[] NOT NULL,
    ids            bigint[] NOT NULL
) PARTITION BY LIST (slot);
-- Compressing these arrays with pglz was a quarter of the dispatcher's work; partitions take over what is set here.
DO $$
BEGIN
    ALTER TABLE pulse.ticks ALTER COLUMN xids SET COMPRESSION lz4, ALTER COLUMN ids SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN   -- a server built without lz4
    ALTER TABLE pulse.ticks ALTER COLUMN xids SET STORAGE EXTERNAL, ALTER COLUMN ids SET STORAGE EXTERNAL;
END
$$;
CREATE TABLE _pulse.ticks_0 PARTITION OF pulse.ticks FOR VALUES IN (0);
CREATE TABLE _pulse.ticks_1 PARTITION OF pulse.ticks FOR VALUES IN (1);
CREATE TABLE _pulse.ticks_2 PARTITION OF pulse.ticks FOR VALUES IN (2);
CREATE INDEX ticks_last_position_idx ON pulse.ticks (last_position);
COMMENT ON TABLE pulse.ticks IS 'one row a dispatcher transaction: positions first … last are the events (xids[n], ids[n]), in order';
COMMENT ON COLUMN pulse.ticks.before IS 'snapshot P: events of transactions ended between P and S were dispatched';
COMMENT ON COLUMN pulse.ticks.upto IS 'snapshot S';
COMMENT ON COLUMN pulse.ticks.done_id IS 'of a backlog cut in chunks: the last id done between P and S; null when all are';

CREATE TABLE _pulse.quarantine (
    position bigint NOT NULL,
    event_id bigint NOT NULL,
    xid      xid8 NOT NULL,
    sqlstate text NOT NULL,
    message  text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT quarantine_pkey PRIMARY KEY (position)
);
COMMENT ON TABLE _pulse.quarantine IS 'poison events: they keep their position and are not delivered';

-- The first P: everything from this very transaction on is to be dispatched.
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids)
SELECT 1, 0, 0, clock_timestamp(), now.p, now.p, '{}', '{}'
FROM (SELECT format('%1$s:%1$s:', pg_current_xact_id())::pg_snapshot AS p) AS now;

-- core/schema/registry.sql
-- What is registered by SQL: policies, handlers, connect functions, settings. Functions are stored as text
-- (pg_upgrade refuses regproc). extension: the pack that registered it inside CREATE EXTENSION; null for the application's own.
-- The application's row stands beside a pack's and wins; dropping it brings the pack's back.
CREATE TABLE _pulse.policies (
    pattern   text COLLATE "C" NOT NULL,
    operation text NOT NULL,
    function  text NOT NULL,
    extension text,
    CONSTRAINT policies_key UNIQUE NULLS NOT DISTINCT (pattern, operation, extension),
    CONSTRAINT policies_operation_check CHECK (operation IN ('join', 'publish', 'history', 'presence'))
);
COMMENT ON TABLE _pulse.policies IS 'which function decides about an operation on rooms of a pattern';

CREATE TABLE _pulse.handlers (
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    key       text,
    extension text,
    CONSTRAINT handlers_key UNIQUE NULLS NOT DISTINCT (namespace, event, extension)
);
COMMENT ON TABLE _pulse.handlers IS 'which function handles an event of a client';

CREATE TABLE _pulse.namespaces (
    name      text COLLATE "C" NOT NULL,
    connect   text COLLATE "C" NOT NULL,
    extension text,
    CONSTRAINT namespaces_key UNIQUE NULLS NOT DISTINCT (name, connect, extension)
);
COMMENT ON TABLE _pulse.namespaces IS 'connect functions, any number a namespace';

-- Answers of idempotent handlers; the key is filled in from the call.
CREATE TABLE _pulse.answers (
    user_id   text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    ack       json,
    effects   json,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT answers_pkey PRIMARY KEY (user_id, namespace, event, key)
);
CREATE INDEX answers_at_idx ON _pulse.answers (at);
COMMENT ON TABLE _pulse.answers IS 'answers of handlers registered with a key, so that a retried call runs nothing twice';

-- The definition belongs to the pack, the value to the DBA: values are dumped, a pack brings its definitions itself.
CREATE TABLE _pulse.setting_definitions (
    pack          text NOT NULL,
    name          text NOT NULL,
    default_value text,
    description   text NOT NULL,
    extension     text,
    CONSTRAINT setting_definitions_pkey PRIMARY KEY (pack, name)
);
COMMENT ON TABLE _pulse.setting_definitions IS 'settings that exist';

CREATE TABLE _pulse.settings (
    pack  text NOT NULL,
    name  text NOT NULL,
    value text NOT NULL,
    CONSTRAINT settings_pkey PRIMARY KEY (pack, name)
);
COMMENT ON TABLE _pulse.settings IS 'values that differ from the default';

-- core/schema/jobs.sql
-- Waiting and running jobs. Finished ones leave the table; jobs that failed for good stay as 'discarded' with their last error.
CREATE SEQUENCE _pulse.job_id_seq AS bigint CACHE 1;
CREATE TABLE _pulse.jobs (
    id           bigint NOT NULL DEFAULT nextval('_pulse.job_id_seq'),
    queue        text NOT NULL,
    kind         text NOT NULL,
    args         json NOT NULL,
    function     text,
    state        text NOT NULL DEFAULT 'available',
    priority     integer NOT NULL DEFAULT 0,
    run_at       timestamptz NOT NULL,
    attempt      integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    unique_key   text,
    timeout      interval NOT NULL,
    role         text NOT NULL,
    last_error   text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempted_at timestamptz,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_state_check CHECK (state IN ('available', 'scheduled', 'executing', 'retryable', 'completed', 'cancelled', 'discarded'))
);
CREATE INDEX jobs_claim_idx ON _pulse.jobs (priority, run_at, id) WHERE state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_run_at_idx ON _pulse.jobs (run_at) WHERE state IN ('available', 'scheduled', 'retryable');
-- One waiting job a key. The role is part of it: nobody takes the place of somebody else's job.
CREATE UNIQUE INDEX jobs_unique_key_idx ON _pulse.jobs (queue, unique_key, role)
    WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable');
CREATE INDEX jobs_executing_idx ON _pulse.jobs (id) WHERE state = 'executing';
CREATE INDEX jobs_state_idx ON _pulse.jobs (state);  -- for _pulse.queue_counts()

COMMENT ON TABLE _pulse.jobs IS 'waiting, running and dead jobs; one that succeeded is gone';
COMMENT ON COLUMN _pulse.jobs.function IS 'of kind sql: the qualified name of what is run';
COMMENT ON COLUMN _pulse.jobs.state IS 'available and scheduled wait for their first attempt, retryable for another; discarded are dead';
COMMENT ON COLUMN _pulse.jobs.attempt IS 'attempts begun; counted before one runs, so that a crash counts too';
COMMENT ON COLUMN _pulse.jobs.role IS 'who enqueued it and as whom it runs';

-- core/api/slot.sql
-- _pulse.current_slot() returns smallint
-- The partition that new rows go to: 0, 1 or 2. Read from shared memory; 0 when pulse is not preloaded.
CREATE FUNCTION _pulse.current_slot() RETURNS smallint
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pulse_current_slot';
COMMENT ON FUNCTION _pulse.current_slot() IS 'partition that new rows go to';
REVOKE ALL ON FUNCTION _pulse.current_slot() FROM PUBLIC;

-- core/schema/defaults.sql
-- Defaults of pulse.events, for rows that come by INSERT (logical replication, a DBA); publish writes them itself.
ALTER TABLE pulse.events
    ALTER COLUMN id SET DEFAULT nextval('_pulse.event_id'),
    ALTER COLUMN xid SET DEFAULT pg_current_xact_id(),
    ALTER COLUMN slot SET DEFAULT _pulse.current_slot(),
    ALTER COLUMN at SET DEFAULT clock_timestamp(),
    ALTER COLUMN headers SET DEFAULT '{}';

-- core/api/publish.sql
-- pulse.publish(room | rooms, event, payload, …) returns bigint
-- Stores one event in the caller's transaction; it is delivered once that commits. Returns the event's id.
--   room, rooms      whom it is for: one room or an array, 1–255 bytes each, duplicates are dropped
--   event            its name, 1–255 bytes, none that Socket.IO uses itself
--   payload          json, jsonb or JSON text, at most pulse.max_payload bytes; json keeps key order and numbers as written
--   attachments      binary parts, at most ten, {"_placeholder":true,"num":0} in the payload stands for the first
--   headers          JSON object for bridges and consumers: traceparent, actor
--   except_session   a session that does not get it
--   partition_key    consumers of one key read in order
--   idempotency_key  a second publish with the same key stores nothing and returns the first one's id
-- The text form of payload makes unknown literals and untyped parameters of drivers resolve.
CREATE FUNCTION pulse.publish(room text, event text, payload json, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish';
CREATE FUNCTION pulse.publish(room text, event text, payload text, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish';
CREATE FUNCTION pulse.publish(room text, event text, payload jsonb, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_jsonb';
CREATE FUNCTION pulse.publish(rooms text[], event text, payload json, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms';
CREATE FUNCTION pulse.publish(rooms text[], event text, payload text, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms';
CREATE FUNCTION pulse.publish(rooms text[], event text, payload jsonb, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms_jsonb';
REVOKE ALL ON FUNCTION
    pulse.publish(text, text, json, bytea[], json, text, text, text),
    pulse.publish(text, text, text, bytea[], json, text, text, text),
    pulse.publish(text, text, jsonb, bytea[], json, text, text, text),
    pulse.publish(text[], text, json, bytea[], json, text, text, text),
    pulse.publish(text[], text, text, bytea[], json, text, text, text),
    pulse.publish(text[], text, jsonb, bytea[], json, text, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    pulse.publish(text, text, json, bytea[], json, text, text, text),
    pulse.publish(text, text, text, bytea[], json, text, text, text),
    pulse.publish(text, text, jsonb, bytea[], json, text, text, text),
    pulse.publish(text[], text, json, bytea[], json, text, text, text),
    pulse.publish(text[], text, text, bytea[], json, text, text, text),
    pulse.publish(text[], text, jsonb, bytea[], json, text, text, text)
    TO pulse_publisher;
COMMENT ON FUNCTION pulse.publish(text, text, json, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text, text, text, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text, text, jsonb, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text[], text, json, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text[], text, text, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text[], text, jsonb, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';

-- core/api/watch.sql
-- pulse.publish_trigger()
-- What the triggers of pulse.watch run. Its arguments are the watch: \d shows them, pg_dump carries them.
CREATE FUNCTION pulse.publish_trigger() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_trigger';
COMMENT ON FUNCTION pulse.publish_trigger() IS 'publishes an event for each row; created by pulse.watch';

-- pulse.watch(relation, event, rooms, …) returns text
-- Publishes an event for each changed row of a table, in the transaction that changes it. Returns the name of the trigger it made.
--   rooms          templates such as 'order:{id}', 'user:{old.owner_id}'; a null value skips that room
--   operations     insert, update, delete, joined by commas or "or"
--   columns        an update publishes only when one of these changed
--   condition      SQL over NEW and OLD, like a trigger's WHEN
--   payload        JSON object template; default: the whole row with camelCase keys
--   channel        a legacy NOTIFY channel that gets the payload as well
--   partition_key  template
--   on_error       abort: a failure fails the statement; warn: the statement lives, the event is lost and counted
--   name           of the trigger; default: table, operations and event
CREATE FUNCTION pulse.watch(relation regclass, event text, rooms text[], operations text DEFAULT 'insert', columns text[] DEFAULT NULL,
    condition text DEFAULT NULL, payload json DEFAULT NULL, channel text DEFAULT NULL, partition_key text DEFAULT NULL,
    on_error text DEFAULT 'abort', name text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_watch';
COMMENT ON FUNCTION pulse.watch(regclass, text, text[], text, text[], text, json, text, text, text, text)
    IS 'publishes an event for each changed row of a table; returns the trigger''s name';

-- pulse.unwatch(relation, name) returns integer
-- Drops the watches of a table: the one with this trigger name, those with this event name, or all when name is null. Returns how many.
CREATE FUNCTION pulse.unwatch(relation regclass, name text DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_trigger name;
    v_event   bytea := convert_to('event=' || unwatch.name, 'UTF8') || '\x00';
    v_count   integer := 0;
BEGIN
    FOR v_trigger IN
        SELECT t.tgname FROM pg_trigger t
        WHERE t.tgrelid = unwatch.relation AND t.tgfoid = 'pulse.publish_trigger()'::regprocedure
          AND CASE WHEN unwatch.name IS NULL THEN t.tgparentid = 0
                   ELSE t.tgname = unwatch.name OR substring(t.tgargs FROM 1 FOR length(v_event)) = v_event END
        ORDER BY t.tgname
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', v_trigger, unwatch.relation);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION pulse.unwatch(regclass, text) IS 'drops watches of a table by trigger or event name, or all of them; returns how many';

REVOKE ALL ON FUNCTION pulse.publish_trigger(), pulse.unwatch(regclass, text),
    pulse.watch(regclass, text, text[], text, text[], text, json, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.publish_trigger(), pulse.unwatch(regclass, text),
    pulse.watch(regclass, text, text[], text, text[], text, json, text, text, text, text) TO pulse_publisher, pulse_admin;

-- core/api/dispatch.sql
-- _pulse.tick() returns bigint
-- One dispatcher tick from SQL: gives positions to the events of transactions that ended since the last tick, at most one
-- chunk, and returns how many. For tests and for a database whose dispatcher does not run. Safe beside a dispatcher.
-- Bridges are told by the dispatcher, never by this. Refused in a transaction that has written or is not READ COMMITTED.
CREATE FUNCTION _pulse.tick() RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
    SET plan_cache_mode = force_generic_plan
    AS 'MODULE_PATHNAME', 'pulse_tick';
COMMENT ON FUNCTION _pulse.tick() IS 'one dispatcher tick from SQL; returns how many events it dispatched';
REVOKE ALL ON FUNCTION _pulse.tick() FROM PUBLIC;

-- pulse.position() returns text
-- The cursor epoch:position of the last event dispatched, as this statement's snapshot sees it. Null before the first dispatcher
-- has run. Who reads data and this in one statement can later ask for everything after it.
CREATE FUNCTION pulse.position() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (SELECT e.epoch FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1)
        || ':' || (SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1);
END;
COMMENT ON FUNCTION pulse.position() IS 'cursor epoch:position of the last event dispatched, as the current snapshot sees it';

-- core/api/queue.sql
-- pulse.enqueue(queue, kind, args, …) returns bigint
-- Stores a job in this transaction; a worker runs it after the commit, in a transaction of its own. Returns the job's id.
--   queue         a name of your own, 1–255 bytes
--   kind          'sql': args ->> 'function' names f(args json) returns json, which must exist. It runs as the role that
--                 enqueued it (current_user) and gets args -> 'args' when there is such a member, else all of args
--   priority      smaller runs first
--   run_at        not before
--   max_attempts  a job that fails is tried again, later each time; after this many attempts it is dead
--   unique_key    while a job with this key waits in this queue (of the same role), another is not stored: its id is returned
--   timeout       how long one attempt may take
CREATE FUNCTION pulse.enqueue(queue text, kind text, args json, priority integer DEFAULT 0, run_at timestamptz DEFAULT now(),
    max_attempts integer DEFAULT 3, unique_key text DEFAULT NULL, timeout interval DEFAULT '30 s') RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_enqueue';
COMMENT ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval) IS
    'stores a job that a worker runs after the commit, as the role that enqueued it; returns its id';
REVOKE ALL ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval) TO pulse_publisher;

-- pulse.job_id() returns bigint
-- The running job; null outside a job. A function that writes elsewhere can use it to know its own repetition.
CREATE FUNCTION pulse.job_id() RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_job_id';
COMMENT ON FUNCTION pulse.job_id() IS 'the running job; null outside a job';

-- core/api/settings.sql
-- Settings of packs and applications: times and limits that a DBA may change, effective at once, kept in the dump.

-- pulse.define_setting(pack text, name text, default_value text, description text)
-- Makes a setting exist. Called by a pack's script; defining it again changes default and description, never a value.
CREATE FUNCTION pulse.define_setting(pack text, name text, "default" text, description text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_extension text := _pulse.running_extension();
    v_owner text;
BEGIN
    IF pack IS NULL OR pack = '' OR name IS NULL OR name = '' OR description IS NULL THEN
        RAISE EXCEPTION 'a setting has a pack, a name and a description' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT d.extension INTO v_owner FROM _pulse.setting_definitions d WHERE d.pack = define_setting.pack AND d.name = define_setting.name;
    IF FOUND AND v_owner IS DISTINCT FROM v_extension THEN
        RAISE EXCEPTION 'setting %.% is already defined by %', pack, name, coalesce('extension ' || v_owner, 'the application')
            USING ERRCODE = 'duplicate_object', HINT = 'Use pulse.configure to give it a value.';
    END IF;
    INSERT INTO _pulse.setting_definitions AS d (pack, name, default_value, description, extension)
        VALUES (define_setting.pack, define_setting.name, define_setting."default", define_setting.description, v_extension)
        ON CONFLICT ON CONSTRAINT setting_definitions_pkey
        DO UPDATE SET default_value = excluded.default_value, description = excluded.description;
END
$$;
COMMENT ON FUNCTION pulse.define_setting(text, text, text, text) IS 'makes a setting of a pack exist, with its default';
REVOKE ALL ON FUNCTION pulse.define_setting(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.define_setting(text, text, text, text) TO pulse_admin;

-- pulse.configure(pack text, name text, value text)
-- Gives a setting a value; null goes back to the default.
CREATE FUNCTION pulse.configure(pack text, name text, value text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM _pulse.check_setting(configure.pack, configure.name);
    IF value IS NULL THEN
        DELETE FROM _pulse.settings s WHERE s.pack = configure.pack AND s.name = configure.name;
    ELSE
        INSERT INTO _pulse.settings (pack, name, value) VALUES (configure.pack, configure.name, configure.value)
            ON CONFLICT ON CONSTRAINT settings_pkey DO UPDATE SET value = excluded.value;
    END IF;
END
$$;
COMMENT ON FUNCTION pulse.configure(text, text, text) IS 'gives a setting a value, effective at once; null goes back to the default';
REVOKE ALL ON FUNCTION pulse.configure(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.configure(text, text, text) TO pulse_admin;

-- pulse.setting(pack text, name text) returns text
-- The value in force. Raises for a setting that nobody defined.
CREATE FUNCTION pulse.setting(pack text, name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value text;
BEGIN
    SELECT coalesce(s.value, d.default_value) INTO v_value
        FROM _pulse.setting_definitions d
        LEFT JOIN _pulse.settings s ON s.pack = d.pack AND s.name = d.name
        WHERE d.pack = setting.pack AND d.name = setting.name;
    IF NOT FOUND THEN
        PERFORM _pulse.check_setting(setting.pack, setting.name);
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION pulse.setting(text, text) IS 'the value of a setting that is in force';
GRANT EXECUTE ON FUNCTION pulse.setting(text, text) TO PUBLIC;

-- _pulse.check_setting(pack text, name text)
-- Raises with the known names when there is no such setting.
CREATE FUNCTION _pulse.check_setting(pack text, name text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known text;
BEGIN
    IF EXISTS (SELECT FROM _pulse.setting_definitions d WHERE d.pack = check_setting.pack AND d.name = check_setting.name) THEN
        RETURN;
    END IF;
    SELECT string_agg(d.name, ', ' ORDER BY d.name) INTO v_known FROM _pulse.setting_definitions d WHERE d.pack = check_setting.pack;
    IF v_known IS NOT NULL THEN
        RAISE EXCEPTION 'pack "%" has no setting "%"', pack, name USING ERRCODE = 'undefined_object', HINT = 'It has: ' || v_known || '.';
    END IF;
    SELECT string_agg(DISTINCT d.pack, ', ' ORDER BY d.pack) INTO v_known FROM _pulse.setting_definitions d;
    RAISE EXCEPTION 'no pack "%" has settings', pack USING ERRCODE = 'undefined_object', HINT = 'Packs with settings: ' || v_known || '.';
END
$$;
COMMENT ON FUNCTION _pulse.check_setting(text, text) IS 'raises when a setting does not exist';
REVOKE ALL ON FUNCTION _pulse.check_setting(text, text) FROM PUBLIC;

-- core/api/claims.sql
-- Who asks: what handlers, policies and connect functions read. Null outside the bridge's calls. Nothing that SQL can do
-- changes them; the setting request.jwt.claims holds a copy of the claims for row security written for PostgREST.

-- pulse.claims() returns json
CREATE FUNCTION pulse.claims() RETURNS json
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_claims';
COMMENT ON FUNCTION pulse.claims() IS 'the verified claims of the client';
GRANT EXECUTE ON FUNCTION pulse.claims() TO PUBLIC;

-- pulse.claim(name text) returns text
-- A string without its quotes, anything else as JSON text; null when the claim is missing or null.
CREATE FUNCTION pulse.claim(name text) RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_claim';
COMMENT ON FUNCTION pulse.claim(text) IS 'one verified claim of the client';
GRANT EXECUTE ON FUNCTION pulse.claim(text) TO PUBLIC;

-- pulse.user_id() returns text
-- Null for an anonymous client.
CREATE FUNCTION pulse.user_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_user_id';
COMMENT ON FUNCTION pulse.user_id() IS 'the verified user id of the client';
GRANT EXECUTE ON FUNCTION pulse.user_id() TO PUBLIC;

-- pulse.session_id() returns text
-- The stable key of the session, good for pulse.publish(…, except_session => …).
CREATE FUNCTION pulse.session_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_session_id';
COMMENT ON FUNCTION pulse.session_id() IS 'the session of the client, stable over reconnects';
GRANT EXECUTE ON FUNCTION pulse.session_id() TO PUBLIC;

-- pulse.socket_id() returns text
CREATE FUNCTION pulse.socket_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_socket_id';
COMMENT ON FUNCTION pulse.socket_id() IS 'the socket of the client, as it knows it';
GRANT EXECUTE ON FUNCTION pulse.socket_id() TO PUBLIC;

-- pulse.attachments() returns bytea[]
-- The binary arguments of the event; {"_placeholder":true,"num":0} in args stands for the first.
CREATE FUNCTION pulse.attachments() RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_attachments';
COMMENT ON FUNCTION pulse.attachments() IS 'the binary arguments of the event being handled';
GRANT EXECUTE ON FUNCTION pulse.attachments() TO PUBLIC;

-- pulse.is_own_user_room(claims json, room text, params json) returns boolean
-- The engine's policy of user:{userId}.
CREATE FUNCTION pulse.is_own_user_room(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT COALESCE((params ->> 'userId') = pulse.user_id(), false);
END;
COMMENT ON FUNCTION pulse.is_own_user_room(json, text, json) IS 'policy: a user''s room is for that user alone';
REVOKE ALL ON FUNCTION pulse.is_own_user_room(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.is_own_user_room(json, text, json) TO pulse_client;

-- core/api/registry.sql
-- Registrations: effective at once on a running system. Functions are given by name or signature, run as pulse_client,
-- and are stored by name: a function replaced later is the one that runs. Registering again replaces.

-- pulse.policy(pattern text, operation text, function text)
-- Lets function(claims json, room text, params json) returns boolean decide about join, publish, history or presence
-- on rooms like emergency:{id}; params holds what the placeholders matched. Without a policy nobody may.
CREATE FUNCTION pulse.policy(pattern text, operation text, function text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_policy';
COMMENT ON FUNCTION pulse.policy(text, text, text) IS 'lets a function decide about an operation on rooms of a pattern';
REVOKE ALL ON FUNCTION pulse.policy(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.policy(text, text, text) TO pulse_admin;

-- pulse.drop_policy(pattern text, operation text) returns boolean
-- Takes the application's policy away; a pack's own one counts again. Inside a pack's script: the pack's.
CREATE FUNCTION pulse.drop_policy(pattern text, operation text) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_policy';
COMMENT ON FUNCTION pulse.drop_policy(text, text) IS 'takes a policy away; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_policy(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_policy(text, text) TO pulse_admin;

-- pulse.on(event text, function text, namespace text default '/', key text default null)
-- Lets function(args json) returns json handle an event of clients. args is the array of the event's arguments; an array
-- returned is the ack's arguments, NULL none, anything else the one argument. key, like '{requestId}' over the members
-- of the first argument, makes retried calls of a user get the first answer.
CREATE FUNCTION pulse."on"(event text, function text, namespace text DEFAULT '/', key text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_on';
COMMENT ON FUNCTION pulse."on"(text, text, text, text) IS 'lets a function handle an event of clients';
REVOKE ALL ON FUNCTION pulse."on"(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse."on"(text, text, text, text) TO pulse_admin;

-- pulse.drop_handler(event text, namespace text default '/') returns boolean
CREATE FUNCTION pulse.drop_handler(event text, namespace text DEFAULT '/') RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_handler';
COMMENT ON FUNCTION pulse.drop_handler(text, text) IS 'takes a handler away; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_handler(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_handler(text, text) TO pulse_admin;

-- pulse.namespace(name text, connect text)
-- Makes a namespace exist and lets connect(claims json) returns json greet its clients with {"rooms":[…],"data":{…}} or
-- null. Any number a namespace: their rooms are united, and one that raises refuses. '/' exists by itself.
CREATE FUNCTION pulse.namespace(name text, connect text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_namespace';
COMMENT ON FUNCTION pulse.namespace(text, text) IS 'adds a connect function to a namespace';
REVOKE ALL ON FUNCTION pulse.namespace(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.namespace(text, text) TO pulse_admin;

-- pulse.drop_namespace(name text, connect text default null) returns integer
-- Takes one connect function away, or all of the application's there; returns how many.
CREATE FUNCTION pulse.drop_namespace(name text, connect text DEFAULT NULL) RETURNS integer
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_namespace';
COMMENT ON FUNCTION pulse.drop_namespace(text, text) IS 'takes connect functions of a namespace away; how many';
REVOKE ALL ON FUNCTION pulse.drop_namespace(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_namespace(text, text) TO pulse_admin;

-- _pulse.running_extension() returns text
-- The extension whose script is running, else null.
CREATE FUNCTION _pulse.running_extension() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_running_extension';
COMMENT ON FUNCTION _pulse.running_extension() IS 'the extension whose script is running';
REVOKE ALL ON FUNCTION _pulse.running_extension() FROM PUBLIC;

-- _pulse.forget_dropped_packs() returns event_trigger
CREATE FUNCTION _pulse.forget_dropped_packs() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() o WHERE o.object_type = 'extension') THEN
        RETURN;
    END IF;
    DELETE FROM _pulse.policies p WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = p.extension) AND p.extension IS NOT NULL;
    DELETE FROM _pulse.handlers h WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = h.extension) AND h.extension IS NOT NULL;
    DELETE FROM _pulse.namespaces n WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = n.extension) AND n.extension IS NOT NULL;
    DELETE FROM _pulse.setting_definitions d WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = d.extension) AND d.extension IS NOT NULL;
END
$$;
COMMENT ON FUNCTION _pulse.forget_dropped_packs() IS 'event trigger: a dropped pack takes its registrations with it';
REVOKE ALL ON FUNCTION _pulse.forget_dropped_packs() FROM PUBLIC;

-- core/api/handle.sql
-- The one door for clients: the bridge calls these three; handlers answer by the ones below. docs/reference/bridge.md.

-- pulse.handle_connect(namespace text, context json) returns json
CREATE FUNCTION pulse.handle_connect(namespace text, context json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle_connect';
COMMENT ON FUNCTION pulse.handle_connect(text, json) IS 'bridge: may a client connect to a namespace, and what does it get at once';
REVOKE ALL ON FUNCTION pulse.handle_connect(text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle_connect(text, json) TO pulse_bridge;

-- pulse.handle(namespace text, event text, args json, context json, attachments bytea[] default null)
-- Runs the registered handler as pulse_client, limited by pulse.handler_timeout. Deferrable constraints are checked
-- before it returns and stay immediate until the transaction ends.
CREATE FUNCTION pulse.handle(namespace text, event text, args json, context json, attachments bytea[] DEFAULT NULL,
                                        OUT ack json, OUT effects json, OUT "position" text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_handle';
COMMENT ON FUNCTION pulse.handle(text, text, json, json, bytea[]) IS 'bridge: runs the handler of a client''s event';
REVOKE ALL ON FUNCTION pulse.handle(text, text, json, json, bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.handle(text, text, json, json, bytea[]) TO pulse_bridge;

-- pulse.decide(requests json) returns setof (n integer, allowed boolean, reason text, "position" text)
CREATE FUNCTION pulse.decide(requests json, OUT n integer, OUT allowed boolean, OUT reason text, OUT "position" text)
    RETURNS SETOF record LANGUAGE c VOLATILE ROWS 100 AS 'MODULE_PATHNAME', 'pulse_decide';
COMMENT ON FUNCTION pulse.decide(json) IS 'bridge: asks the policies about many operations at once';
REVOKE ALL ON FUNCTION pulse.decide(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.decide(json) TO pulse_bridge;

-- pulse.join(room text)
-- Lets this session join a room when the policy allows it; raises forbidden when not.
CREATE FUNCTION pulse."join"(room text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_join';
COMMENT ON FUNCTION pulse."join"(text) IS 'handlers: joins this session to a room, when its policy allows it';
GRANT EXECUTE ON FUNCTION pulse."join"(text) TO PUBLIC;

-- pulse.leave(room text)
CREATE FUNCTION pulse.leave(room text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_leave';
COMMENT ON FUNCTION pulse.leave(text) IS 'handlers: takes this session out of a room';
GRANT EXECUTE ON FUNCTION pulse.leave(text) TO PUBLIC;

-- pulse.reply(event text, payload json)
-- Sends an event to this session alone, not through the log.
CREATE FUNCTION pulse.reply(event text, payload json) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_reply';
COMMENT ON FUNCTION pulse.reply(text, json) IS 'handlers: sends an event to this session alone';
GRANT EXECUTE ON FUNCTION pulse.reply(text, json) TO PUBLIC;

-- pulse.disconnect(reason text)
CREATE FUNCTION pulse.disconnect(reason text) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_disconnect';
COMMENT ON FUNCTION pulse.disconnect(text) IS 'handlers: ends this session''s connection';
GRANT EXECUTE ON FUNCTION pulse.disconnect(text) TO PUBLIC;

-- pulse.fail(code text, message text, hint text default null) returns json
-- Raises an error that the client sees. Never returns; the type lets it stand where a handler's result stands.
CREATE FUNCTION pulse.fail(code text, message text, hint text DEFAULT NULL) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_fail';
COMMENT ON FUNCTION pulse.fail(text, text, text) IS 'raises an error that the client sees: code, message and hint';
GRANT EXECUTE ON FUNCTION pulse.fail(text, text, text) TO PUBLIC;

-- core/api/bridge.sql
-- How a bridge finds the stream and reads a range of it. docs/reference/bridge.md.

-- pulse.bridge_hello(bridge text) returns json
CREATE FUNCTION pulse.bridge_hello(bridge text) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_bridge_hello';
COMMENT ON FUNCTION pulse.bridge_hello(text) IS 'bridge: epoch, secret channel, dispatcher and last position';
REVOKE ALL ON FUNCTION pulse.bridge_hello(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_hello(text) TO pulse_bridge;

-- pulse.bridge_read(after bigint, up_to bigint, max_events integer default 1000)
-- The events with after < position <= up_to in order. Ticks are dense and ordered, so the ones needed are those from the
-- first with last_position > after to the first with last_position >= up_to: both ends by the index. Of each only the
-- needed piece of its arrays is unnested. Quarantined events have no row and do not count.
CREATE FUNCTION pulse.bridge_read(after bigint, up_to bigint, max_events integer DEFAULT 1000)
    RETURNS TABLE ("position" bigint, id bigint, rooms json, name json, headers json, payload json, attachments bytea[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.position, e.id, array_to_json(e.rooms), to_json(e.name), e.headers, e.payload, e.attachments
    FROM (
        SELECT greatest(t.first_position, bridge_read.after + 1) + u.n - 1 AS position, u.xid, u.id
        FROM pulse.ticks t
        CROSS JOIN LATERAL unnest(
            t.xids[greatest(bridge_read.after - t.first_position + 2, 1)::integer
                   : least(bridge_read.up_to - t.first_position + 1, cardinality(t.ids))::integer],
            t.ids[greatest(bridge_read.after - t.first_position + 2, 1)::integer
                   : least(bridge_read.up_to - t.first_position + 1, cardinality(t.ids))::integer]
        ) WITH ORDINALITY u (xid, id, n)
        WHERE t.last_position > bridge_read.after
          AND t.last_position <= coalesce((SELECT b.last_position FROM pulse.ticks b WHERE b.last_position >= bridge_read.up_to
                                           ORDER BY b.last_position LIMIT 1), bridge_read.up_to)
          AND NOT EXISTS (SELECT FROM _pulse.quarantine q WHERE q.position = greatest(t.first_position, bridge_read.after + 1) + u.n - 1)
        ORDER BY t.last_position, u.n
        LIMIT bridge_read.max_events
    ) r
    JOIN pulse.events e ON e.xid = r.xid AND e.id = r.id
    ORDER BY r.position;
END
$$;
COMMENT ON FUNCTION pulse.bridge_read(bigint, bigint, integer) IS 'bridge: the events of a range of positions, in order';
REVOKE ALL ON FUNCTION pulse.bridge_read(bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_read(bigint, bigint, integer) TO pulse_bridge;

-- core/api/status.sql
-- How pulse is doing in this database, and what to do about it.

-- _pulse.memory_status() returns json
-- Shared memory and settings, for pulse.status().
CREATE FUNCTION _pulse.memory_status() RETURNS json
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_memory_status';
COMMENT ON FUNCTION _pulse.memory_status() IS 'shared memory and settings, for pulse.status()';
REVOKE ALL ON FUNCTION _pulse.memory_status() FROM PUBLIC;

-- _pulse.lag_events(backlog bigint) returns bigint
-- Events that are committed and have no position yet, counted up to 100,000 beyond the backlog that the dispatcher knows of.
CREATE FUNCTION _pulse.lag_events(backlog bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_from    pg_snapshot;
    v_after   bigint;
    v_counted bigint;
BEGIN
    SELECT CASE WHEN t.done_id IS NULL OR backlog > 0 THEN t.upto ELSE t.before END, CASE WHEN backlog > 0 THEN NULL ELSE t.done_id END
      INTO v_from, v_after
      FROM pulse.ticks t ORDER BY t.last_position DESC, t.at DESC LIMIT 1;
    SELECT count(*) INTO v_counted FROM (
        SELECT FROM pulse.events e
         WHERE e.xid >= pg_snapshot_xmax(v_from) AND e.xid < pg_snapshot_xmax(pg_current_snapshot()) AND (v_after IS NULL OR e.id > v_after) LIMIT 100000) AS newer;
    IF pg_snapshot_xmin(v_from) < pg_snapshot_xmax(v_from) THEN
        v_counted := v_counted + (SELECT count(*) FROM (
            SELECT FROM pulse.events e
             WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(v_from))) AND (v_after IS NULL OR e.id > v_after) LIMIT 100000) AS late);
    END IF;
    RETURN backlog + v_counted;
END
$$;
COMMENT ON FUNCTION _pulse.lag_events(bigint) IS 'events that are committed and not yet dispatched';
REVOKE ALL ON FUNCTION _pulse.lag_events(bigint) FROM PUBLIC;

-- _pulse.queue_counts() returns json
-- Jobs by state, for pulse.status(): each counted up to 100,000, so that a long queue does not make every health check slow.
CREATE FUNCTION _pulse.queue_counts() RETURNS json
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN json_build_object(
        'available', (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.state IN ('available', 'scheduled') LIMIT 100000) AS counted),
        'executing', (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.state = 'executing' LIMIT 100000) AS counted),
        'retryable', (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.state = 'retryable' LIMIT 100000) AS counted),
        'dead', (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.state = 'discarded' LIMIT 100000) AS counted));
END
$$;
COMMENT ON FUNCTION _pulse.queue_counts() IS 'jobs by state, each counted up to 100,000';
REVOKE ALL ON FUNCTION _pulse.queue_counts() FROM PUBLIC;

-- _pulse.problems(memory json, quarantined bigint, queue_usage double precision) returns json
-- What is wrong, each with what to do, most important first.
CREATE FUNCTION _pulse.problems(memory json, quarantined bigint, queue_usage double precision) RETURNS json
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_problems text[] := '{}';   -- problem, hint, problem, hint …
    v_libraries text := current_setting('shared_preload_libraries');
    v_databases text := (SELECT string_agg(quote_ident(d.name), ', ') FROM json_array_elements_text(memory -> 'databases') AS d (name));
    v_named boolean := (memory ->> 'named')::boolean;
BEGIN
    IF NOT (memory ->> 'preloaded')::boolean THEN
        v_problems := v_problems || ARRAY['pulse is not preloaded: events are stored, but nobody dispatches them',
            format('Set shared_preload_libraries = %L in postgresql.conf and restart PostgreSQL.',
                   concat_ws(', ', nullif(v_libraries, ''), 'pulse'))];
    END IF;
    IF NOT v_named THEN
        v_problems := v_problems || ARRAY[format('database %s is not in pulse.databases: it has no dispatcher', quote_ident(current_database())),
            format('ALTER SYSTEM SET pulse.databases = %L; SELECT pg_reload_conf();', concat_ws(', ', v_databases, quote_ident(current_database())))];
    END IF;
    IF pg_is_in_recovery() THEN
        v_problems := v_problems || ARRAY['this server is a standby', 'Events are dispatched on the primary; connect there.'];
    ELSIF (memory ->> 'preloaded')::boolean AND v_named THEN
        IF memory ->> 'launcherPid' IS NULL THEN
            v_problems := v_problems || ARRAY['the launcher is not running', 'See the server''s log for "pulse launcher"; it starts again within a second.'];
        ELSIF (memory ->> 'shortOfWorkers')::boolean THEN
            v_problems := v_problems || ARRAY['PostgreSQL has no background worker left for pulse',
                format('Raise max_worker_processes (now %s) and restart PostgreSQL: pulse needs one, and two for each database.',
                       current_setting('max_worker_processes'))];
        ELSIF (memory ->> 'full')::boolean THEN
            v_problems := v_problems || ARRAY['too many databases use pulse', 'At most 64 databases of a cluster can.'];
        ELSE
            IF memory ->> 'dispatcherPid' IS NULL THEN
                v_problems := v_problems || ARRAY['the dispatcher is not running', 'See the server''s log for "pulse dispatcher"; it is started again by itself.'];
            END IF;
            IF memory ->> 'workerPid' IS NULL THEN
                v_problems := v_problems || ARRAY['the job worker is not running', 'See the server''s log for "pulse worker"; it is started again by itself.'];
            END IF;
        END IF;
    END IF;
    IF (memory ->> 'failedTicks')::int > 0 THEN
        v_problems := v_problems || ARRAY[format('the last %s ticks of the dispatcher failed', memory ->> 'failedTicks'),
            'See the server''s log for "pulse dispatcher".'];
    END IF;
    IF getdatabaseencoding() <> 'UTF8' THEN
        v_problems := v_problems || ARRAY[format('the database''s encoding is %s', getdatabaseencoding()),
            'Create the database with ENCODING ''UTF8'': JSON for clients must be UTF-8.'];
    END IF;
    IF queue_usage > current_setting('pulse.notify_queue_threshold')::double precision THEN
        v_problems := v_problems || ARRAY[format('%s %% of the NOTIFY queue is in use', round((queue_usage * 100)::numeric, 1)),
            'A session that listens stays in one transaction: look for old xact_start in pg_stat_activity.'];
    END IF;
    IF quarantined > 0 THEN
        v_problems := v_problems || ARRAY[format('%s events could not be dispatched', quarantined),
            'SELECT * FROM _pulse.quarantine; delete the rows when you have seen them.'];
    END IF;
    RETURN (SELECT coalesce(json_agg(json_build_object('problem', v_problems[n], 'hint', v_problems[n + 1]) ORDER BY n), '[]')
              FROM generate_series(1, cardinality(v_problems), 2) AS n);
END
$$;
COMMENT ON FUNCTION _pulse.problems(json, bigint, double precision) IS 'what is wrong, each with what to do';
REVOKE ALL ON FUNCTION _pulse.problems(json, bigint, double precision) FROM PUBLIC;

-- pulse.status() returns json
-- preloaded, databases, dispatcher, worker, epoch, position, notifyQueueUsage, quarantined, queue, counters (since the server
-- started) and problems, each with a hint. Cheap enough for a health check every second. See docs/reference/status.md.
CREATE FUNCTION pulse.status() RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_memory      json := _pulse.memory_status();
    v_usage       double precision := CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_notification_queue_usage() END;
    v_quarantined bigint := (SELECT count(*) FROM (SELECT FROM _pulse.quarantine LIMIT 100000) AS counted);
BEGIN
    RETURN json_build_object(
        'preloaded', v_memory -> 'preloaded',
        'databases', v_memory -> 'databases',
        'dispatcher', json_build_object(
            'running', v_memory ->> 'dispatcherPid' IS NOT NULL,
            'pid', v_memory -> 'dispatcherPid',
            'lagEvents', _pulse.lag_events((v_memory ->> 'backlog')::bigint),
            'lastTickAt', to_char(to_timestamp((v_memory ->> 'lastTick')::double precision / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'failedTicks', v_memory -> 'failedTicks'),
        'worker', json_build_object('running', v_memory ->> 'workerPid' IS NOT NULL, 'pid', v_memory -> 'workerPid'),
        'epoch', (SELECT e.epoch FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1),
        'position', (SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1),
        'notifyQueueUsage', v_usage,
        'quarantined', v_quarantined,
        'queue', _pulse.queue_counts(),
        'counters', v_memory -> 'counters',
        'problems', _pulse.problems(v_memory, v_quarantined, v_usage));
END
$$;
COMMENT ON FUNCTION pulse.status() IS 'how pulse is doing in this database: workers, lag, queue, counters, problems with hints';
REVOKE ALL ON FUNCTION pulse.status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.status() TO pulse_bridge, pulse_admin;

-- core/schema/builtin.sql
-- What the engine itself registers.
SELECT pulse.policy('user:{userId}', 'join', 'pulse.is_own_user_room');
SELECT pulse.policy('user:{userId}', 'history', 'pulse.is_own_user_room');
SELECT pulse.define_setting('pulse', 'idempotency_keep', '24 hours', 'how long an idempotency key and the answer of a call are remembered');

-- A dropped pack takes its registrations with it: created again, it must not find old ones.
CREATE EVENT TRIGGER pulse_forget_dropped_packs ON sql_drop
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION _pulse.forget_dropped_packs();

-- core/schema/dump.sql
-- What pg_dump carries: what the application registered or configured, and its jobs. Log data is not dumped.
SELECT pg_catalog.pg_extension_config_dump('_pulse.policies', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.handlers', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.namespaces', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.setting_definitions', 'WHERE extension IS NULL');
SELECT pg_catalog.pg_extension_config_dump('_pulse.settings', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('_pulse.job_id_seq', '');
