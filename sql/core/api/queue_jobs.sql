-- Jobs to look at and to act on.

-- pulse.jobs
-- All jobs: those that wait or run, what has ended within pulse.job_retention, and dead letters ('discarded').
CREATE OR REPLACE VIEW pulse.jobs AS
    SELECT j.id, j.queue, j.kind, j.channel, j.args, CASE WHEN j.state = 'scheduled' AND j.run_at <= now() THEN 'available' ELSE j.state END AS state,
           j.priority, j.run_at, j.attempt, j.max_attempts, j.unique_key, j.partition_key, j.timeout, j.role, j.worker, j.created_at, j.attempted_at,
           j.lease_until, j.cancelled_at, NULL::timestamptz AS finished_at, j.last_error, j.errors, NULL::json AS result, j.on_end, j.traceparent
      FROM _pulse.jobs j
    UNION ALL
    SELECT h.id, h.queue, h.kind, h.channel, h.args, h.state,
           h.priority, h.run_at, h.attempt, h.max_attempts, h.unique_key, h.partition_key, h.timeout, h.role, h.worker, h.created_at, h.attempted_at,
           NULL, NULL, h.finished_at, h.last_error, h.errors, h.result, h.on_end, h.traceparent
      FROM _pulse.job_history h
    UNION ALL
    SELECT d.id, d.queue, d.kind, d.channel, d.args, 'discarded',
           d.priority, d.run_at, d.attempt, d.max_attempts, d.unique_key, d.partition_key, d.timeout, d.role, d.worker, d.created_at, d.attempted_at,
           NULL, NULL, d.finished_at, d.last_error, d.errors, NULL, d.on_end, d.traceparent
      FROM _pulse.dead_letters d;
COMMENT ON VIEW pulse.jobs IS 'all jobs: waiting, running, ended within pulse.job_retention, and dead';
GRANT SELECT ON pulse.jobs TO pulse_admin;

-- pulse.job(id bigint) returns setof pulse.jobs
CREATE OR REPLACE FUNCTION pulse.job(id bigint) RETURNS SETOF pulse.jobs
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM pulse.jobs j WHERE j.id = job.id
$$;
COMMENT ON FUNCTION pulse.job(bigint) IS 'one job, wherever it is in its life';
REVOKE ALL ON FUNCTION pulse.job(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.job(bigint) TO pulse_admin;

-- _pulse.configured_queues
-- What is said about each queue: the application's word, else a pack's, value by value. 0 says that there is none.
CREATE OR REPLACE VIEW _pulse.configured_queues AS
    SELECT n.name, nullif(coalesce(a.concurrency, p.concurrency), 0) AS concurrency, nullif(coalesce(a.rate, p.rate), 0) AS rate,
           CASE WHEN coalesce(a.rate, p.rate) > 0 THEN coalesce(a.per, p.per) END AS per, nullif(coalesce(a.max_attempts, p.max_attempts), 0) AS max_attempts,
           nullif(coalesce(a.backoff, p.backoff), '0') AS backoff, nullif(coalesce(a.backoff_max, p.backoff_max), '0') AS backoff_max,
           coalesce(a.events, p.events, false) AS events
      FROM (SELECT DISTINCT q.name FROM _pulse.queues q) n
      LEFT JOIN _pulse.queues a ON a.name = n.name AND a.extension IS NULL
      LEFT JOIN (_pulse.queues p JOIN pg_catalog.pg_extension e ON e.extname = p.extension) ON p.name = n.name;
COMMENT ON VIEW _pulse.configured_queues IS 'what is said about each queue, by the application or a pack';

-- _pulse.list_queues()
-- Behind the view pulse.queues. With plans that go by the indexes, and are not compiled, whatever the tables' statistics say at the moment.
CREATE OR REPLACE FUNCTION _pulse.list_queues()
    RETURNS TABLE (name text, paused boolean, pause_reason text, paused_at timestamptz, concurrency integer, rate integer, per interval, max_attempts integer,
                   backoff interval, backoff_max interval, events boolean, available bigint, scheduled bigint, executing bigint, retryable bigint, dead bigint)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
    SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH RECURSIVE waiting (name) AS (
        (SELECT j.queue FROM _pulse.jobs j WHERE j.state IN ('available', 'scheduled', 'retryable') ORDER BY j.queue LIMIT 1)
        UNION ALL
        SELECT (SELECT j.queue FROM _pulse.jobs j WHERE j.queue > w.name AND j.state IN ('available', 'scheduled', 'retryable') ORDER BY j.queue LIMIT 1)
          FROM waiting w WHERE w.name IS NOT NULL
    ), dead (name) AS (
        (SELECT d.queue FROM _pulse.dead_letters d ORDER BY d.queue LIMIT 1)
        UNION ALL
        SELECT (SELECT d.queue FROM _pulse.dead_letters d WHERE d.queue > x.name ORDER BY d.queue LIMIT 1) FROM dead x WHERE x.name IS NOT NULL
    ), names (name) AS (
        SELECT w.name FROM waiting w WHERE w.name IS NOT NULL UNION SELECT x.name FROM dead x WHERE x.name IS NOT NULL
        UNION SELECT j.queue FROM _pulse.jobs j WHERE j.state = 'executing' UNION SELECT q.name FROM _pulse.queues q
        UNION SELECT s.name FROM _pulse.queue_states s WHERE s.name <> '*'
    )
    SELECT n.name, coalesce(s.paused, false) AS paused, CASE WHEN s.paused THEN s.reason END AS pause_reason, CASE WHEN s.paused THEN s.paused_at END AS paused_at,
           c.concurrency, c.rate, c.per, c.max_attempts, c.backoff, c.backoff_max, coalesce(c.events, false) AS events,
           (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.queue = n.name AND j.state IN ('available', 'scheduled', 'retryable')
                                     AND j.state <> 'retryable' AND j.run_at <= now() LIMIT 10000) AS counted) AS available,
           (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.queue = n.name AND j.state IN ('available', 'scheduled', 'retryable')
                                     AND j.state <> 'retryable' AND j.run_at > now() LIMIT 10000) AS counted) AS scheduled,
           (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.queue = n.name AND j.state = 'executing' LIMIT 10000) AS counted) AS executing,
           (SELECT count(*) FROM (SELECT FROM _pulse.jobs j WHERE j.queue = n.name AND j.state = 'retryable' LIMIT 10000) AS counted) AS retryable,
           (SELECT count(*) FROM (SELECT FROM _pulse.dead_letters d WHERE d.queue = n.name LIMIT 10000) AS counted) AS dead
      FROM names n
      LEFT JOIN _pulse.configured_queues c ON c.name = n.name
      LEFT JOIN LATERAL (SELECT t.paused, t.reason, t.paused_at FROM _pulse.queue_states t WHERE t.name IN (n.name, '*') ORDER BY t.name = '*' LIMIT 1) s ON true
$$;
COMMENT ON FUNCTION _pulse.list_queues() IS 'queues with pause, configuration and counts';
REVOKE ALL ON FUNCTION _pulse.list_queues() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION _pulse.list_queues() TO pulse_admin;

-- pulse.queues
-- Every queue that has a job, a configuration or a pause. Counts go up to 10,000: more is shown as 10,000.
CREATE OR REPLACE VIEW pulse.queues AS
    SELECT l.name COLLATE "C" AS name, l.paused, l.pause_reason, l.paused_at, l.concurrency, l.rate, l.per, l.max_attempts, l.backoff, l.backoff_max, l.events,
           l.available, l.scheduled, l.executing, l.retryable, l.dead
      FROM _pulse.list_queues() l;
COMMENT ON VIEW pulse.queues IS 'queues: whether they are paused, what is configured, and how many jobs of each state they have, up to 10,000';
GRANT SELECT ON pulse.queues TO pulse_admin;

-- pulse.cancel(id bigint) returns boolean
-- A waiting job is cancelled at once. One that runs is told to stop, and is cancelled when it does; what it has done is rolled back. False:
-- it has ended, or never was.
CREATE OR REPLACE FUNCTION pulse.cancel(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'pulse_cancel_job';
COMMENT ON FUNCTION pulse.cancel(bigint) IS 'cancels a job; false when it has ended already';
REVOKE ALL ON FUNCTION pulse.cancel(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.cancel(bigint) TO pulse_admin;

-- _pulse.tell_waiting(id bigint, queue text, kind text, channel text, priority integer, run_at timestamptz, attempt integer, state text)
-- For a job that was made to wait by SQL: the workers hear of it at the commit, and with events on, everybody does.
CREATE OR REPLACE FUNCTION _pulse.tell_waiting(id bigint, queue text, kind text, channel text, priority integer, run_at timestamptz, attempt integer, state text) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'pulse_tell_waiting';
COMMENT ON FUNCTION _pulse.tell_waiting(bigint, text, text, text, integer, timestamptz, integer, text) IS 'tells the workers of a job that waits';
REVOKE ALL ON FUNCTION _pulse.tell_waiting(bigint, text, text, text, integer, timestamptz, integer, text) FROM PUBLIC;

-- pulse.retry(id bigint) returns boolean
-- A job that waits is run now; a dead one is redriven. False: it runs, or has ended otherwise.
CREATE OR REPLACE FUNCTION pulse.retry(id bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job _pulse.jobs;
BEGIN
    UPDATE _pulse.jobs j SET run_at = least(j.run_at, clock_timestamp()), state = CASE j.state WHEN 'scheduled' THEN 'available' ELSE j.state END
     WHERE j.id = retry.id AND j.state <> 'executing' RETURNING * INTO v_job;   -- in these words no partial index serves, whatever the statistics say
    IF NOT FOUND THEN
        RETURN pulse.redrive(retry.id);
    END IF;
    PERFORM _pulse.tell_waiting(v_job.id, v_job.queue, v_job.kind, v_job.channel, v_job.priority, v_job.run_at, v_job.attempt, v_job.state);
    RETURN true;
END
$$;
COMMENT ON FUNCTION pulse.retry(bigint) IS 'runs a waiting job now, or a dead one again; false when it can be neither';
REVOKE ALL ON FUNCTION pulse.retry(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.retry(bigint) TO pulse_admin;

-- _pulse.tell_look() returns void
CREATE OR REPLACE FUNCTION _pulse.tell_look() RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_tell_look';
COMMENT ON FUNCTION _pulse.tell_look() IS 'lets the workers look at all waiting jobs anew';
REVOKE ALL ON FUNCTION _pulse.tell_look() FROM PUBLIC;

-- pulse.purge_queue(queue text) returns bigint
-- Forgets all jobs of a queue that wait, without a trace: no history, no on_end, no events. Returns how many.
CREATE OR REPLACE FUNCTION pulse.purge_queue(queue text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_purged bigint;
BEGIN
    PERFORM _pulse.check_queue(queue);
    DELETE FROM _pulse.jobs j WHERE j.queue = purge_queue.queue AND j.state IN ('available', 'scheduled', 'retryable');
    GET DIAGNOSTICS v_purged = ROW_COUNT;
    PERFORM _pulse.tell_look();   -- one of them may have held others with its partition key
    RETURN v_purged;
END
$$;
COMMENT ON FUNCTION pulse.purge_queue(text) IS 'forgets all waiting jobs of a queue; how many';
REVOKE ALL ON FUNCTION pulse.purge_queue(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.purge_queue(text) TO pulse_admin;
