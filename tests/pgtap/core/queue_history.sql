-- What has ended is kept for pulse.job_retention.
BEGIN;
SELECT plan(9);

CREATE FUNCTION pg_temp.ended(slot smallint, age interval) RETURNS void LANGUAGE sql AS $$
    INSERT INTO _pulse.job_history (slot, id, queue, kind, args, state, priority, run_at, attempt, max_attempts, timeout, role, created_at, channel, finished_at)
    VALUES (slot, nextval('_pulse.job_id_seq'), 'q', 'sql', '{}', 'completed', 0, now() - age, 1, 3, '1 s', 'r', now() - age, 'sql', clock_timestamp() - age) $$;
CREATE FUNCTION pg_temp.kept() RETURNS SETOF smallint LANGUAGE sql AS 'SELECT DISTINCT slot FROM _pulse.job_history ORDER BY 1';

SELECT _pulse.rotate_job_history();   -- what rolled-back tests have left
SELECT is(_pulse.rotate_job_history(), 0, 'there is nothing to empty');
SELECT pg_temp.ended(0::smallint, '30 h'), pg_temp.ended(1::smallint, '25 h'), pg_temp.ended(1::smallint, '23 h'), pg_temp.ended(2::smallint, '0');
SELECT is(_pulse.rotate_job_history(), 1, 'a table whose rows are all older is emptied');
SELECT results_eq('SELECT * FROM pg_temp.kept()', 'VALUES (1::smallint), (2::smallint)', 'the others are not');
SELECT is(_pulse.rotate_job_history(), 0, 'once');
UPDATE _pulse.job_history SET finished_at = finished_at - interval '1 h 1 min' WHERE slot = 1;
SELECT is(_pulse.rotate_job_history(), 1, 'it goes by the newest row of a table');
SELECT results_eq('SELECT DISTINCT state FROM pulse.jobs', $$ VALUES ('completed') $$, 'what is kept is shown');
SELECT pg_temp.ended(0::smallint, '25 h'), pg_temp.ended(1::smallint, '49 h');
SELECT is(_pulse.rotate_job_history(), 2, 'several at once');
SELECT results_eq('SELECT * FROM pg_temp.kept()', 'VALUES (2::smallint)', 'the newest stays');

-- As in the foreman, which wants no plan that reads a table: whether a table is old is seen from the summary by time.
INSERT INTO _pulse.job_history (slot, id, queue, kind, args, state, priority, run_at, attempt, max_attempts, timeout, role, created_at, channel, finished_at)
SELECT 0, n, 'q', 'sql', '{}', 'completed', 0, now(), 1, 3, '1 s', 'r', now(), 'sql', now() - interval '25 h' FROM generate_series(1, 20000) AS n;
SELECT brin_summarize_new_values('_pulse.job_history_0_finished_at_idx');
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
CREATE TEMP TABLE read_before AS SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables WHERE relid = '_pulse.job_history_0'::regclass;
SELECT _pulse.rotate_job_history();
SELECT cmp_ok((SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relid = '_pulse.job_history_0'::regclass) - (SELECT rows FROM read_before), '<', 20000::bigint,
              'E4: a table that is old is emptied without reading it');

SELECT * FROM finish();
ROLLBACK;
