-- What is said about queues and kinds of jobs. The application's word wins over a pack's, value by value; workers and backends hear of a
-- change when it commits.

-- _pulse.queue_settings_changed() returns trigger
CREATE OR REPLACE FUNCTION _pulse.queue_settings_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'pulse_queue_settings_changed';
COMMENT ON FUNCTION _pulse.queue_settings_changed() IS 'trigger: tells workers and backends that queues or kinds of jobs are configured anew';
REVOKE ALL ON FUNCTION _pulse.queue_settings_changed() FROM PUBLIC;

-- _pulse.check_queue(queue text)
CREATE OR REPLACE FUNCTION _pulse.check_queue(queue text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF queue IS NULL THEN
        RAISE EXCEPTION 'queue is null' USING ERRCODE = 'null_value_not_allowed', HINT = 'Name the queue.';
    ELSIF octet_length(queue) NOT BETWEEN 1 AND 255 OR queue = '*' THEN
        RAISE EXCEPTION 'no queue can have the name "%"', left(queue, 60) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A queue''s name has 1 to 255 bytes, and is not *.';
    END IF;
END
$$;
COMMENT ON FUNCTION _pulse.check_queue(text) IS 'raises for what cannot be a queue''s name';
REVOKE ALL ON FUNCTION _pulse.check_queue(text) FROM PUBLIC;

-- pulse.configure_queue(queue text, concurrency, rate, per, max_attempts, backoff, backoff_max, events)
-- Says something about a queue; what is null stays as it was, 0 takes a value back (and a pack's with it).
--   concurrency   so many of its jobs run at once, over all workers
--   rate, per     in any time of the length per so many are started
--   max_attempts  of jobs that say nothing themselves
--   backoff       wait after the first failed attempt; doubles with each, up to backoff_max
--   events        whether each change of its jobs is published in the room queue:{name}
CREATE OR REPLACE FUNCTION pulse.configure_queue(queue text, concurrency integer DEFAULT NULL, rate integer DEFAULT NULL, per interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL, backoff interval DEFAULT NULL, backoff_max interval DEFAULT NULL, events boolean DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_extension text := _pulse.running_extension();
    v_rival     text := (SELECT q.extension FROM _pulse.queues q JOIN pg_extension e ON e.extname = q.extension
                          WHERE q.name = configure_queue.queue AND q.extension <> v_extension);
    v_problem   text[];   -- and its hint
BEGIN
    PERFORM _pulse.check_queue(queue);
    IF v_rival IS NOT NULL THEN
        RAISE EXCEPTION 'queue "%" is already configured by extension %', queue, v_rival USING ERRCODE = 'duplicate_object',
            HINT = 'An application may override it; another extension may not.';
    END IF;
    v_problem := CASE
        WHEN concurrency NOT BETWEEN 0 AND 100000 THEN ARRAY[format('concurrency is %s', concurrency), 'It is between 1 and 100000, or 0 for no limit.']
        WHEN rate NOT BETWEEN 0 AND 1000000 THEN ARRAY[format('rate is %s', rate), 'It is between 1 and 1000000, or 0 for no limit.']
        WHEN per NOT BETWEEN '10 ms' AND '31 days' THEN ARRAY[format('per is %s', per), 'It is between 10 milliseconds and 31 days.']
        WHEN max_attempts NOT BETWEEN 0 AND 1000 THEN ARRAY[format('max_attempts is %s', max_attempts), 'It is between 1 and 1000, or 0 for the default.']
        WHEN backoff NOT BETWEEN '0' AND '7 days' THEN ARRAY[format('backoff is %s', backoff), 'It is between 0, for the default, and 7 days.']
        WHEN backoff_max NOT BETWEEN '0' AND '7 days' THEN ARRAY[format('backoff_max is %s', backoff_max), 'It is between 0, for the default, and 7 days.']
    END;
    IF v_problem IS NULL AND rate > 0 AND per IS NULL AND NOT EXISTS (
            SELECT FROM _pulse.queues q WHERE q.name = configure_queue.queue AND q.per IS NOT NULL) THEN
        v_problem := ARRAY['a rate needs the time that it is for', 'Give per, too: rate => 100, per => ''1 min''.'];
    END IF;
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION '%', v_problem[1] USING ERRCODE = 'invalid_parameter_value', HINT = v_problem[2];
    END IF;
    INSERT INTO _pulse.queues AS q (name, extension, concurrency, rate, per, max_attempts, backoff, backoff_max, events)
        VALUES (configure_queue.queue, v_extension, configure_queue.concurrency, configure_queue.rate, configure_queue.per,
                configure_queue.max_attempts, configure_queue.backoff, configure_queue.backoff_max, configure_queue.events)
        ON CONFLICT ON CONSTRAINT queues_key DO UPDATE
        SET concurrency = coalesce(excluded.concurrency, q.concurrency), rate = coalesce(excluded.rate, q.rate),
            per = coalesce(excluded.per, q.per), max_attempts = coalesce(excluded.max_attempts, q.max_attempts),
            backoff = coalesce(excluded.backoff, q.backoff), backoff_max = coalesce(excluded.backoff_max, q.backoff_max),
            events = coalesce(excluded.events, q.events);
END
$$;
COMMENT ON FUNCTION pulse.configure_queue(text, integer, integer, interval, integer, interval, interval, boolean) IS
    'limits of a queue, attempts and backoff of its jobs, and whether it publishes events';
REVOKE ALL ON FUNCTION pulse.configure_queue(text, integer, integer, interval, integer, interval, interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.configure_queue(text, integer, integer, interval, integer, interval, interval, boolean) TO pulse_admin;

-- pulse.drop_queue(queue text) returns boolean
-- Forgets what the application said about a queue; a pack's word counts again. Its jobs stay.
CREATE OR REPLACE FUNCTION pulse.drop_queue(queue text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM _pulse.queues q WHERE q.name = drop_queue.queue AND q.extension IS NOT DISTINCT FROM _pulse.running_extension();
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION pulse.drop_queue(text) IS 'forgets the configuration of a queue, not its jobs; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_queue(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_queue(text) TO pulse_admin;

-- pulse.pause_queue(queue text, reason text default null) returns boolean
-- No job of it is started any more; what runs goes on. Whether it was running.
CREATE OR REPLACE FUNCTION pulse.pause_queue(queue text, reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM _pulse.check_queue(queue);
    INSERT INTO _pulse.queue_states AS s (name, paused, reason, paused_at) VALUES (pause_queue.queue, true, pause_queue.reason, clock_timestamp())
        ON CONFLICT ON CONSTRAINT queue_states_pkey DO UPDATE
        SET paused = true, reason = excluded.reason, paused_at = excluded.paused_at WHERE NOT s.paused;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION pulse.pause_queue(text, text) IS 'starts no job of a queue any more; whether it was running';
REVOKE ALL ON FUNCTION pulse.pause_queue(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.pause_queue(text, text) TO pulse_admin;

-- pulse.resume_queue(queue text) returns boolean
-- Also one of those that are paused because the database was restored. Whether it was paused.
CREATE OR REPLACE FUNCTION pulse.resume_queue(queue text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_paused boolean;
BEGIN
    PERFORM _pulse.check_queue(queue);
    SELECT s.paused INTO v_paused FROM _pulse.queue_states s WHERE s.name IN (resume_queue.queue, '*') ORDER BY s.name = '*' LIMIT 1;
    IF EXISTS (SELECT FROM _pulse.queue_states s WHERE s.name = '*') THEN
        INSERT INTO _pulse.queue_states AS s (name, paused) VALUES (resume_queue.queue, false)
            ON CONFLICT ON CONSTRAINT queue_states_pkey DO UPDATE SET paused = false, reason = NULL, paused_at = NULL WHERE s.paused;
    ELSE
        DELETE FROM _pulse.queue_states s WHERE s.name = resume_queue.queue;
    END IF;
    RETURN coalesce(v_paused, false);
END
$$;
COMMENT ON FUNCTION pulse.resume_queue(text) IS 'starts jobs of a paused queue again; whether it was paused';
REVOKE ALL ON FUNCTION pulse.resume_queue(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.resume_queue(text) TO pulse_admin;

-- pulse.resume_queues() returns boolean
-- Ends the pause of all queues that a restore begins. Queues that somebody paused by name stay paused. Whether there was one.
CREATE OR REPLACE FUNCTION pulse.resume_queues() RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM _pulse.queue_states s WHERE NOT s.paused;
    DELETE FROM _pulse.queue_states s WHERE s.name = '*';
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION pulse.resume_queues() IS 'lets queues of a restored database run; whether they were paused';
REVOKE ALL ON FUNCTION pulse.resume_queues() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.resume_queues() TO pulse_admin;

-- _pulse.check_queue_origin() returns boolean
-- Called before the first job is started, and when rows come into _pulse.queue_origin. In another cluster or database than the last time, as after a restore from a dump, all queues are
-- paused: a copy must not send messages. True: they are, because of this call.
CREATE OR REPLACE FUNCTION _pulse.check_queue_origin() RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_system   bigint := (SELECT c.system_identifier FROM pg_control_system() c);
    v_database oid    := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    v_ours     bigint;
    v_all      bigint;
BEGIN
    SELECT count(*) FILTER (WHERE o.system_identifier = v_system AND o.database = v_database), count(*) INTO v_ours, v_all
    FROM _pulse.queue_origin o;
    IF v_ours = 1 AND v_all = 1 THEN
        RETURN false;
    END IF;
    DELETE FROM _pulse.queue_origin;
    INSERT INTO _pulse.queue_origin (system_identifier, database) VALUES (v_system, v_database);
    IF v_all = 0 THEN
        RETURN false;
    END IF;   -- several: a backup was loaded, though it may be one of this database
    DELETE FROM _pulse.queue_states s WHERE NOT s.paused OR s.name = '*';
    INSERT INTO _pulse.queue_states (name, paused, reason, paused_at) VALUES ('*', true, 'restored', clock_timestamp());
    RETURN true;
END
$$;
COMMENT ON FUNCTION _pulse.check_queue_origin() IS 'pauses all queues when this is another database than the one they were served in';
REVOKE ALL ON FUNCTION _pulse.check_queue_origin() FROM PUBLIC;

-- pulse.job_kind(kind text, channel text, function text default null, max_attempts, backoff, backoff_max)
-- Makes a kind of jobs, or changes it.
--   channel   who works on them: 'sql' runs function; 'fcm', 'sms' and 'webhook' send what function makes of args, or args as they are;
--             'external': whoever calls pulse.fetch_jobs
--   function  f(args json) returns json, run as the role that enqueued the job
CREATE OR REPLACE FUNCTION pulse.job_kind(kind text, channel text, function text DEFAULT NULL, max_attempts integer DEFAULT NULL,
    backoff interval DEFAULT NULL, backoff_max interval DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_job_kind';
COMMENT ON FUNCTION pulse.job_kind(text, text, text, integer, interval, interval) IS 'makes a kind of jobs: which channel works on them, by which function';
REVOKE ALL ON FUNCTION pulse.job_kind(text, text, text, integer, interval, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.job_kind(text, text, text, integer, interval, interval) TO pulse_admin;

-- pulse.drop_job_kind(kind text) returns boolean
-- Jobs of it that are stored already are still worked on.
CREATE OR REPLACE FUNCTION pulse.drop_job_kind(kind text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM _pulse.job_kinds k WHERE k.kind = drop_job_kind.kind AND k.extension IS NOT DISTINCT FROM _pulse.running_extension();
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION pulse.drop_job_kind(text) IS 'takes a kind of jobs away; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_job_kind(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_job_kind(text) TO pulse_admin;
