-- What the jobs of a torture do. Each run of one says so in the server's log, which no rollback and no crash takes back; what it did stands in
-- torture.effects exactly when its transaction committed. No key anywhere: what happened twice shall be seen.
CREATE TABLE torture.effects (n integer, job bigint, run text);
CREATE TABLE torture.ends (job bigint, state text);

CREATE FUNCTION torture.say(line json) RETURNS void LANGUAGE plpgsql SET log_error_verbosity = terse AS $$
BEGIN
    RAISE LOG 'torture %', line;
END
$$;

-- args: n; sleep (ms); fails (so many attempts do). The attempt is read where it was counted, before this one began.
CREATE FUNCTION torture.work(args json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    v_job     bigint  := pulse.job_id();
    v_attempt integer := (SELECT j.attempt FROM _pulse.jobs j WHERE j.id = v_job);
    v_run     text    := format('%s.%s', pg_backend_pid(), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
BEGIN
    PERFORM torture.say(json_build_object('what', 'begin', 'n', args -> 'n', 'job', v_job::text, 'attempt', v_attempt, 'run', v_run,
        'at', extract(epoch FROM clock_timestamp()) * 1000));
    INSERT INTO torture.effects VALUES ((args ->> 'n')::integer, v_job, v_run);
    IF args ->> 'sleep' <> '0' THEN
        PERFORM pg_sleep((args ->> 'sleep')::float / 1000);
    END IF;
    PERFORM torture.say(json_build_object('what', 'end', 'run', v_run));
    IF v_attempt <= (args ->> 'fails')::integer THEN
        RAISE EXCEPTION 'attempt % fails, as it was told', v_attempt;
    END IF;
    RETURN args -> 'n';
END
$$;

-- on_end of some of them.
CREATE FUNCTION torture.job_ended(job json) RETURNS json LANGUAGE sql AS $$
    INSERT INTO torture.ends VALUES ((job ->> 'id')::bigint, job ->> 'state') RETURNING NULL::json
$$;

-- Makes a webhook that tells its attempt to the receiver.
CREATE FUNCTION torture.build_hook(args json) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('url', args -> 'url', 'body', json_build_object('n', args -> 'n', 'attempt', j.attempt)) FROM _pulse.jobs j WHERE j.id = pulse.job_id()
$$;

SELECT pulse.job_kind('work', 'sql', 'torture.work'), pulse.job_kind('hook', 'webhook', 'torture.build_hook'), pulse.job_kind('errand', 'external');
