-- What has ended is kept for pulse.job_retention in three tables that are written and emptied in turn.

-- _pulse.rotate_job_history() returns integer
-- Empties each table whose rows are all older than pulse.job_retention; never waits for anybody. Returns how many.
CREATE OR REPLACE FUNCTION _pulse.rotate_job_history() RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_bitmapscan = on AS $$   -- of the summary by time
DECLARE
    v_before  timestamptz := clock_timestamp() - current_setting('pulse.job_retention')::interval;
    v_emptied integer := 0;
    v_needed  boolean;
    v_slot    text;
BEGIN
    FOREACH v_slot IN ARRAY ARRAY['job_history_0', 'job_history_1', 'job_history_2'] LOOP
        CONTINUE WHEN pg_relation_size(format('_pulse.%I', v_slot)::regclass) = 0;
        EXECUTE format('SELECT EXISTS (SELECT FROM _pulse.%I h WHERE h.finished_at >= $1)', v_slot) INTO v_needed USING v_before;
        CONTINUE WHEN v_needed;
        BEGIN
            EXECUTE format('LOCK TABLE _pulse.%I IN ACCESS EXCLUSIVE MODE NOWAIT', v_slot);
            -- written meanwhile?
            EXECUTE format('SELECT EXISTS (SELECT FROM _pulse.%I h WHERE h.finished_at >= $1)', v_slot) INTO v_needed USING v_before;
            CONTINUE WHEN v_needed;
            EXECUTE format('TRUNCATE _pulse.%I', v_slot);
            v_emptied := v_emptied + 1;
        EXCEPTION WHEN lock_not_available OR object_in_use THEN
            NULL;   -- somebody reads it: the next time
        END;
    END LOOP;
    RETURN v_emptied;
END
$$;
COMMENT ON FUNCTION _pulse.rotate_job_history() IS 'empties the tables of ended jobs that are older than pulse.job_retention; how many';
REVOKE ALL ON FUNCTION _pulse.rotate_job_history() FROM PUBLIC;
