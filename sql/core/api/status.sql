-- How pulse is doing in this database, and what to do about it.

-- _pulse.memory_status() returns json
-- Shared memory and settings, for pulse.status().
CREATE OR REPLACE FUNCTION _pulse.memory_status() RETURNS json
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_memory_status';
COMMENT ON FUNCTION _pulse.memory_status() IS 'shared memory and settings, for pulse.status()';
REVOKE ALL ON FUNCTION _pulse.memory_status() FROM PUBLIC;

-- _pulse.lag_events(backlog bigint) returns bigint
-- Events that are committed and have no position yet, counted up to 100,000 beyond the backlog that the dispatcher knows of.
CREATE OR REPLACE FUNCTION _pulse.lag_events(backlog bigint) RETURNS bigint
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

-- _pulse.count_by_index(index regclass, entries integer, OUT counted bigint, OUT complete boolean)
-- Visible rows that are found by looking at so many entries of an index; complete: there are no more.
CREATE OR REPLACE FUNCTION _pulse.count_by_index(index regclass, entries integer, OUT counted bigint, OUT complete boolean)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'pulse_count_by_index';
COMMENT ON FUNCTION _pulse.count_by_index(regclass, integer) IS 'visible rows that are found by looking at so many entries of an index';
REVOKE ALL ON FUNCTION _pulse.count_by_index(regclass, integer) FROM PUBLIC;

-- _pulse.queue_counts() returns json
-- Jobs by state, for pulse.status(): exact up to 10,000 of a state, beyond that what PostgreSQL's statistics estimate, so that it costs
-- milliseconds however long a queue is, and whoever holds an old snapshot.
CREATE OR REPLACE FUNCTION _pulse.queue_counts() RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c_entries   CONSTANT integer := 10000;
    v_waiting   record := _pulse.count_by_index('_pulse.jobs_lane_idx', c_entries);
    v_executing record := _pulse.count_by_index('_pulse.jobs_executing_idx', c_entries);
    v_retryable record := _pulse.count_by_index('_pulse.jobs_retryable_idx', c_entries);
    v_dead      record := _pulse.count_by_index('_pulse.dead_letters_pkey', c_entries);
BEGIN
    IF NOT v_waiting.complete THEN
        v_waiting.counted := greatest(v_waiting.counted, pg_stat_get_live_tuples('_pulse.jobs'::regclass) - v_executing.counted);
    END IF;
    IF NOT v_dead.complete THEN
        v_dead.counted := greatest(v_dead.counted, pg_stat_get_live_tuples('_pulse.dead_letters'::regclass));
    END IF;
    RETURN json_build_object('available', greatest(v_waiting.counted - v_retryable.counted, 0), 'executing', v_executing.counted,
                             'retryable', v_retryable.counted, 'dead', v_dead.counted);
END
$$;
COMMENT ON FUNCTION _pulse.queue_counts() IS 'jobs by state: exact up to 10,000 of a state, then estimated';
REVOKE ALL ON FUNCTION _pulse.queue_counts() FROM PUBLIC;

-- _pulse.count_queues(index regclass, entries integer, total integer)
-- Visible rows by queue, found by looking at so many entries of each queue in an index that begins with it; complete: there are no more.
CREATE OR REPLACE FUNCTION _pulse.count_queues(index regclass, entries integer, total integer)
    RETURNS TABLE (queue text, available bigint, scheduled bigint, retryable bigint, executing bigint, dead bigint, oldest timestamptz, complete boolean)
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'pulse_count_queues';
COMMENT ON FUNCTION _pulse.count_queues(regclass, integer, integer) IS 'visible rows by queue, found by looking at so many entries of an index';
REVOKE ALL ON FUNCTION _pulse.count_queues(regclass, integer, integer) FROM PUBLIC;

-- pulse.queue_depths() returns table
-- For the bridge's metrics: jobs of each queue by state, exact up to 10,000 entries of an index, and 50,000 of all queues; what is more is not
-- looked at, so that it costs little however long queues are, and whoever holds an old snapshot.
CREATE OR REPLACE FUNCTION pulse.queue_depths()
    RETURNS TABLE (queue text, available bigint, scheduled bigint, executing bigint, retryable bigint, dead bigint, oldest_seconds double precision)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT c.queue, sum(c.available)::bigint, sum(c.scheduled)::bigint, sum(c.executing)::bigint, sum(c.retryable)::bigint, sum(c.dead)::bigint,
           CASE WHEN bool_and(c.complete) THEN coalesce(extract(epoch FROM clock_timestamp() - min(c.oldest)), 0)::double precision END
      FROM (SELECT w.queue, w.available, w.scheduled, w.executing, w.retryable, w.dead, w.oldest, w.complete FROM _pulse.count_queues('_pulse.jobs_lane_idx', 10000, 50000) w
            UNION ALL SELECT d.queue, 0, 0, 0, 0, d.dead, NULL, true FROM _pulse.count_queues('_pulse.dead_letters_queue_finished_at_idx', 10000, 50000) d
            UNION ALL SELECT e.queue, 0, 0, 1, 0, 0, NULL, true
                        FROM (SELECT j.queue FROM _pulse.jobs j WHERE j.state = 'executing' ORDER BY j.id DESC LIMIT 10000) e) c
     GROUP BY c.queue ORDER BY c.queue LIMIT 500
$$;
COMMENT ON FUNCTION pulse.queue_depths() IS 'jobs of each queue by state, for metrics: exact up to 10,000';
REVOKE ALL ON FUNCTION pulse.queue_depths() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.queue_depths() TO pulse_bridge, pulse_admin;

-- _pulse.problems(memory json, quarantined bigint, queue_usage double precision, lag bigint) returns json
-- What is wrong, each with what to do, most important first.
CREATE OR REPLACE FUNCTION _pulse.problems(memory json, quarantined bigint, queue_usage double precision, lag bigint) RETURNS json
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_problems text[] := '{}';   -- problem, hint, problem, hint …
    v_libraries text := current_setting('shared_preload_libraries');
    v_databases text := (SELECT string_agg(quote_ident(d.name), ', ') FROM json_array_elements_text(memory -> 'databases') AS d (name));
    v_named boolean := (memory ->> 'named')::boolean;
    v_version text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pulse');
    v_idle double precision := extract(epoch FROM clock_timestamp()) - (memory ->> 'lastTick')::double precision / 1000000;
BEGIN
    IF NOT (memory ->> 'preloaded')::boolean THEN
        v_problems := v_problems || ARRAY['pulse is not preloaded: events are stored, but nobody dispatches them',
            format('Set shared_preload_libraries = %L in postgresql.conf and restart PostgreSQL.',
                   concat_ws(', ', nullif(v_libraries, ''), 'pulse'))];
    END IF;
    IF memory ->> 'version' IS DISTINCT FROM v_version THEN
        v_problems := v_problems || ARRAY[format('the SQL of pulse here is version %s, its library %s: nothing is dispatched', v_version, memory ->> 'version'),
            'ALTER EXTENSION pulse UPDATE; if that changes nothing, restart PostgreSQL: the library it has loaded is older.'];
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
                format('Raise max_worker_processes (now %s) and restart PostgreSQL: pulse needs one, and for each database a dispatcher, a foreman, an HTTP worker and pulse.job_workers (now %s).',
                       current_setting('max_worker_processes'), current_setting('pulse.job_workers'))];
        ELSIF (memory ->> 'full')::boolean THEN
            v_problems := v_problems || ARRAY['too many databases use pulse', 'At most 64 databases of a cluster can.'];
        ELSE
            IF memory ->> 'dispatcherPid' IS NULL THEN
                v_problems := v_problems || ARRAY['the dispatcher is not running', 'See the server''s log for "pulse dispatcher"; it is started again by itself.'];
            END IF;
            IF memory ->> 'workerPid' IS NULL THEN
                v_problems := v_problems || ARRAY['the job worker is not running', 'See the server''s log for "pulse foreman" and "pulse worker"; they are started again by themselves.'];
            END IF;
        END IF;
    END IF;
    IF lag > 0 AND v_idle > 5 AND memory ->> 'dispatcherPid' IS NOT NULL THEN
        v_problems := v_problems || ARRAY[format('the dispatcher has not looked for %s s, and %s events wait', floor(v_idle), lag),
            format('See what it waits for: SELECT wait_event_type, wait_event, pg_blocking_pids(pid) FROM pg_stat_activity WHERE pid = %s;', memory ->> 'dispatcherPid')];
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
    IF memory ->> 'retentionWaits' IS NOT NULL AND NOT EXISTS (
            SELECT FROM _pulse.rotations r WHERE r.at > clock_timestamp() - 2 * current_setting('pulse.retention')::interval) THEN
        v_problems := v_problems || ARRAY[format('old events cannot be removed: %s', memory ->> 'retentionWaits'),
            'A transaction that has published or read the log is still open (pg_stat_activity, pg_prepared_xacts), or a consumer stands still (_pulse.consumers).'];
    END IF;
    IF quarantined > 0 THEN
        v_problems := v_problems || ARRAY[format('%s events could not be dispatched', quarantined),
            'SELECT * FROM _pulse.quarantine; delete the rows when you have seen them.'];
    END IF;
    IF EXISTS (SELECT FROM _pulse.queue_states s WHERE s.name = '*' AND s.paused) THEN
        v_problems := v_problems || ARRAY['all queues are paused: this database was restored from another',
            'SELECT pulse.resume_queues(), when it may send and do what the other one would; or one by one: pulse.resume_queue(queue).'];
    END IF;
    RETURN (SELECT coalesce(json_agg(json_build_object('problem', v_problems[n], 'hint', v_problems[n + 1]) ORDER BY n), '[]')
              FROM generate_series(1, cardinality(v_problems), 2) AS n);
END
$$;
COMMENT ON FUNCTION _pulse.problems(json, bigint, double precision, bigint) IS 'what is wrong, each with what to do';
REVOKE ALL ON FUNCTION _pulse.problems(json, bigint, double precision, bigint) FROM PUBLIC;

-- pulse.status() returns json
-- preloaded, databases, dispatcher, worker, epoch, position, notifyQueueUsage, quarantined, queue, counters (since the server
-- started) and problems, each with a hint. Cheap enough for a health check every second. See docs/reference/status.md.
CREATE OR REPLACE FUNCTION pulse.status() RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_memory      json := _pulse.memory_status();
    v_usage       double precision := CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_notification_queue_usage() END;
    v_lag         bigint := _pulse.lag_events((v_memory ->> 'backlog')::bigint);
    v_quarantined bigint := (SELECT count(*) FROM (SELECT FROM _pulse.quarantine LIMIT 100000) AS counted);
BEGIN
    RETURN json_build_object(
        'preloaded', v_memory -> 'preloaded',
        'databases', v_memory -> 'databases',
        'dispatcher', json_build_object(
            'running', v_memory ->> 'dispatcherPid' IS NOT NULL,
            'pid', v_memory -> 'dispatcherPid',
            'lagEvents', v_lag,
            'lastTickAt', to_char(to_timestamp((v_memory ->> 'lastTick')::double precision / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'failedTicks', v_memory -> 'failedTicks'),
        'worker', json_build_object('running', v_memory ->> 'workerPid' IS NOT NULL, 'pid', v_memory -> 'workerPid'),
        'epoch', (SELECT e.epoch FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1),
        'position', (SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1),
        'floor', _pulse.floor(),
        'notifyQueueUsage', v_usage,
        'quarantined', v_quarantined,
        'presence', json_build_object('count', (SELECT count(*) FROM (SELECT FROM _pulse.presences LIMIT 100000) AS counted)),
        'queue', _pulse.queue_counts(),
        'counters', v_memory -> 'counters',
        'problems', _pulse.problems(v_memory, v_quarantined, v_usage, v_lag));
END
$$;
COMMENT ON FUNCTION pulse.status() IS 'how pulse is doing in this database: workers, lag, queue, counters, problems with hints';
REVOKE ALL ON FUNCTION pulse.status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.status() TO pulse_bridge, pulse_admin;
