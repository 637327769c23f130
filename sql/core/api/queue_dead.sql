-- Dead letters: jobs that failed for good, until they are purged or redriven.

-- pulse.dead_letters
CREATE OR REPLACE VIEW pulse.dead_letters AS
    SELECT d.id, d.queue, d.kind, d.channel, d.args, d.reason, d.last_error, d.attempt, d.max_attempts, d.errors, d.priority, d.unique_key, d.partition_key,
           d.timeout, d.role, d.worker, d.created_at, d.attempted_at, d.finished_at, d.on_end, d.traceparent
      FROM _pulse.dead_letters d;
COMMENT ON VIEW pulse.dead_letters IS 'jobs that failed for good, with all their attempts, until they are purged or redriven';
GRANT SELECT ON pulse.dead_letters TO pulse_admin;

-- _pulse.redrive(ids bigint[], attempts integer) returns bigint
-- Locks the dead letters and makes them wait again. One whose unique key a waiting job has stays dead.
CREATE OR REPLACE FUNCTION _pulse.redrive(ids bigint[], attempts integer) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_redriven bigint;
BEGIN
    IF attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'attempts is %', attempts USING ERRCODE = 'invalid_parameter_value', HINT = 'It is between 1 and 1000.';
    END IF;
    WITH dead AS (
        SELECT d.* FROM _pulse.dead_letters d WHERE d.id = ANY (redrive.ids) ORDER BY d.id FOR UPDATE
    ), stored AS (
        -- attempts go on counting, so that the end of an earlier one is never taken for one of these
        INSERT INTO _pulse.jobs AS j (id, queue, kind, args, function, state, priority, run_at, attempt, max_attempts, unique_key, timeout, role, last_error,
                                      created_at, attempted_at, channel, partition_key, on_end, traceparent, errors)
        SELECT d.id, d.queue, d.kind, d.args, d.function, 'available', d.priority, clock_timestamp(), d.attempt,
               d.attempt + coalesce(redrive.attempts, k.max_attempts, q.max_attempts, 3), d.unique_key, d.timeout, d.role, d.last_error,
               d.created_at, d.attempted_at, d.channel, d.partition_key, d.on_end, d.traceparent, d.errors
          FROM dead d
          LEFT JOIN _pulse.configured_queues q ON q.name = d.queue
          LEFT JOIN LATERAL (SELECT o.max_attempts FROM _pulse.job_kinds o WHERE o.kind = d.kind ORDER BY o.extension IS NOT NULL LIMIT 1) k ON true
         ORDER BY d.id
        ON CONFLICT (queue, unique_key, role) WHERE unique_key IS NOT NULL AND state IN ('available', 'scheduled', 'retryable') DO NOTHING
        RETURNING j.id, j.queue, j.kind, j.channel, j.priority, j.run_at, j.attempt, j.state
    ), gone AS (
        DELETE FROM _pulse.dead_letters d USING stored s WHERE d.id = s.id
    )
    SELECT count(*) INTO v_redriven FROM (
        SELECT _pulse.tell_waiting(s.id, s.queue, s.kind, s.channel, s.priority, s.run_at, s.attempt, s.state) FROM stored s OFFSET 0) AS told;
    RETURN v_redriven;
END
$$;
COMMENT ON FUNCTION _pulse.redrive(bigint[], integer) IS 'makes dead letters wait again; how many';
REVOKE ALL ON FUNCTION _pulse.redrive(bigint[], integer) FROM PUBLIC;

-- pulse.redrive(id bigint, attempts integer default null) returns boolean
-- Runs a dead job again: it gets so many attempts more; null: as many as its kind, else its queue, gives a new one, else 3. False: there is no
-- such dead letter, or a waiting job has its unique key.
CREATE OR REPLACE FUNCTION pulse.redrive(id bigint, attempts integer DEFAULT NULL) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT _pulse.redrive(ARRAY[redrive.id], redrive.attempts) > 0
$$;
COMMENT ON FUNCTION pulse.redrive(bigint, integer) IS 'runs a dead job again; false when there is none';
REVOKE ALL ON FUNCTION pulse.redrive(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.redrive(bigint, integer) TO pulse_admin;

-- _pulse.check_dead(queue text, kind text, since timestamptz, until timestamptz)
-- A null is what a variable has that nobody has set: taken for "all" it would be the end of every dead letter.
CREATE OR REPLACE FUNCTION _pulse.check_dead(queue text, kind text, since timestamptz, until timestamptz) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_null text := CASE WHEN queue IS NULL THEN 'queue' WHEN kind IS NULL THEN 'kind' WHEN since IS NULL THEN 'since' WHEN until IS NULL THEN 'until' END;
BEGIN
    IF v_null IS NOT NULL THEN
        RAISE EXCEPTION '% is null', v_null USING ERRCODE = 'null_value_not_allowed', HINT = 'Leave out what does not matter.';
    END IF;
END
$$;
COMMENT ON FUNCTION _pulse.check_dead(text, text, timestamptz, timestamptz) IS 'raises for nulls in what dead letters are chosen by';
REVOKE ALL ON FUNCTION _pulse.check_dead(text, text, timestamptz, timestamptz) FROM PUBLIC;

-- pulse.redrive(queue text default '*', kind, since, until, max_jobs, attempts) returns bigint
-- Runs again what died in that queue, of that kind, at or after since and before until; oldest first, at most max_jobs; '*' is any.
CREATE OR REPLACE FUNCTION pulse.redrive(queue text DEFAULT '*', kind text DEFAULT '*', since timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity', max_jobs bigint DEFAULT NULL, attempts integer DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids bigint[];
BEGIN
    PERFORM _pulse.check_dead(queue, kind, since, until);
    IF max_jobs < 0 THEN
        RAISE EXCEPTION 'max_jobs is %', max_jobs USING ERRCODE = 'invalid_parameter_value', HINT = 'It is 0 or more; leave it out for all.';
    END IF;
    v_ids := ARRAY(
        SELECT d.id FROM _pulse.dead_letters d
         WHERE (redrive.queue = '*' OR d.queue = redrive.queue) AND (redrive.kind = '*' OR d.kind = redrive.kind)
           AND d.finished_at >= redrive.since AND d.finished_at < redrive.until
         ORDER BY d.finished_at, d.id LIMIT redrive.max_jobs);
    -- a driver's parameter without a type is text to PostgreSQL
    IF v_ids = '{}' AND queue ~ '^[0-9]{1,18}$' AND EXISTS (SELECT FROM _pulse.dead_letters d WHERE d.id = redrive.queue::bigint) THEN
        RAISE EXCEPTION 'no dead letter is of a queue "%"', queue USING ERRCODE = 'invalid_parameter_value',
            HINT = format('It is the id of one: pulse.redrive(%s::bigint).', queue);
    END IF;
    RETURN _pulse.redrive(v_ids, redrive.attempts);
END
$$;
COMMENT ON FUNCTION pulse.redrive(text, text, timestamptz, timestamptz, bigint, integer) IS 'runs dead jobs again, all or those that fit; how many';
REVOKE ALL ON FUNCTION pulse.redrive(text, text, timestamptz, timestamptz, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.redrive(text, text, timestamptz, timestamptz, bigint, integer) TO pulse_admin;

-- pulse.purge(queue text default '*', kind text default '*', until timestamptz default 'infinity') returns bigint
-- Forgets dead letters of that queue, of that kind, dead before until: pulse.purge() forgets all.
CREATE OR REPLACE FUNCTION pulse.purge(queue text DEFAULT '*', kind text DEFAULT '*', until timestamptz DEFAULT 'infinity') RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_purged bigint;
BEGIN
    PERFORM _pulse.check_dead(queue, kind, '-infinity', until);
    DELETE FROM _pulse.dead_letters d
     WHERE (purge.queue = '*' OR d.queue = purge.queue) AND (purge.kind = '*' OR d.kind = purge.kind) AND d.finished_at < purge.until;
    GET DIAGNOSTICS v_purged = ROW_COUNT;
    RETURN v_purged;
END
$$;
COMMENT ON FUNCTION pulse.purge(text, text, timestamptz) IS 'forgets dead letters, all or those that fit; how many';
REVOKE ALL ON FUNCTION pulse.purge(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.purge(text, text, timestamptz) TO pulse_admin;
