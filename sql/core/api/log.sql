-- Reading the log: cursors, the floor of retention, history. docs/reference/history.md.

-- _pulse.floor() returns bigint
-- The lowest position that may still be read, as of this very moment: no snapshot matters, since TRUNCATE is not MVCC.
CREATE OR REPLACE FUNCTION _pulse.floor() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_floor';
COMMENT ON FUNCTION _pulse.floor() IS 'lowest position that may still be read';
REVOKE ALL ON FUNCTION _pulse.floor() FROM PUBLIC;

-- _pulse.check_floor(after bigint)
-- Raises PL410 when positions after this one may be gone. Who reads the log calls it before the first row and after the last.
CREATE OR REPLACE FUNCTION _pulse.check_floor(after bigint) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT AS 'MODULE_PATHNAME', 'pulse_check_floor';
COMMENT ON FUNCTION _pulse.check_floor(bigint) IS 'raises PL410 when positions after this one may be gone';
REVOKE ALL ON FUNCTION _pulse.check_floor(bigint) FROM PUBLIC;

-- _pulse.check_cursor(cursor text, out position bigint, out reason text)
-- May everything after a cursor be read? reason is null when it may, else unknown, foreign_epoch, future or expired.
-- A cursor of an older epoch is good up to that epoch's end: what its server showed beyond is not in this log.
CREATE OR REPLACE FUNCTION _pulse.check_cursor(cursor text, OUT "position" bigint, OUT reason text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_number bigint;
    v_end    bigint;
BEGIN
    IF check_cursor.cursor IS NULL OR check_cursor.cursor !~ '^[0-9a-f]{16}:[0-9]{1,18}$' THEN
        reason := 'unknown';
        RETURN;
    END IF;
    "position" := split_part(check_cursor.cursor, ':', 2)::bigint;
    SELECT e.number, (SELECT n.after_position FROM _pulse.epochs n WHERE n.number > e.number ORDER BY n.number LIMIT 1)
      INTO v_number, v_end
      FROM _pulse.epochs e WHERE e.epoch = split_part(check_cursor.cursor, ':', 1);
    IF v_number IS NULL OR "position" > v_end THEN
        reason := 'foreign_epoch';
    ELSIF "position" > (SELECT greatest((SELECT e.after_position FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1),
                                        (SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1))) THEN
        reason := 'future';
    ELSIF "position" < _pulse.floor() - 1 THEN
        reason := 'expired';
    END IF;
END
$$;
COMMENT ON FUNCTION _pulse.check_cursor(text) IS 'position of a cursor, and why what comes after it cannot be read';
REVOKE ALL ON FUNCTION _pulse.check_cursor(text) FROM PUBLIC;

-- _pulse.positions(after bigint, up_to bigint, max_events bigint)
-- Which events stand at the positions of a range, without quarantined ones. Ticks are dense and ordered, so the ones needed are those
-- from the first with last_position > after to the first with last_position >= up_to: both ends by the index. Of each only the
-- needed piece of its arrays is unnested. Inlined into the query that calls it.
CREATE OR REPLACE FUNCTION _pulse.positions(after bigint, up_to bigint, max_events bigint) RETURNS TABLE ("position" bigint, xid xid8, id bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
    SELECT greatest(t.first_position, positions.after + 1) + u.n - 1 AS position, u.xid, u.id
    FROM pulse.ticks t
    CROSS JOIN LATERAL unnest(
        t.xids[greatest(positions.after - t.first_position + 2, 1)::integer
               : least(positions.up_to - t.first_position + 1, cardinality(t.ids))::integer],
        t.ids[greatest(positions.after - t.first_position + 2, 1)::integer
              : least(positions.up_to - t.first_position + 1, cardinality(t.ids))::integer]
    ) WITH ORDINALITY u (xid, id, n)
    WHERE t.last_position > positions.after
      AND t.last_position <= coalesce((SELECT b.last_position FROM pulse.ticks b WHERE b.last_position >= positions.up_to
                                       ORDER BY b.last_position LIMIT 1), positions.up_to)
      AND NOT EXISTS (SELECT FROM _pulse.quarantine q WHERE q.position = greatest(t.first_position, positions.after + 1) + u.n - 1)
    ORDER BY t.last_position, u.n
    LIMIT positions.max_events;
END;
COMMENT ON FUNCTION _pulse.positions(bigint, bigint, bigint) IS 'events at the positions of a range, in order';
REVOKE ALL ON FUNCTION _pulse.positions(bigint, bigint, bigint) FROM PUBLIC;

-- pulse.history(room text, after text default null, max_events integer default 100)
-- The events of a room after a cursor, in order; the last row's position is the cursor of the next page. Without a cursor from the
-- oldest event that is still there. Raises PL410 with the reason as DETAIL when not everything after the cursor can be told.
-- In a handler, policy or connect function the history policy of the room decides; elsewhere it takes pulse_publisher or pulse_admin.
CREATE OR REPLACE FUNCTION pulse.history(room text, after text DEFAULT NULL, max_events integer DEFAULT 100,
        OUT "position" text, OUT id bigint, OUT event text, OUT payload json, OUT headers json, OUT attachments bytea[], OUT at timestamptz)
    RETURNS SETOF record LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS 'MODULE_PATHNAME', 'pulse_history';
COMMENT ON FUNCTION pulse.history(text, text, integer) IS 'events of a room after a cursor, in order, page by page';
GRANT EXECUTE ON FUNCTION pulse.history(text, text, integer) TO PUBLIC;
