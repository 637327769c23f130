-- How a bridge finds the stream and reads a range of it. docs/reference/bridge.md.

-- pulse.bridge_hello(bridge text, epoch text default null) returns json
CREATE OR REPLACE FUNCTION pulse.bridge_hello(bridge text, epoch text DEFAULT NULL) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_bridge_hello';
COMMENT ON FUNCTION pulse.bridge_hello(text, text) IS 'bridge: epoch, secret channel, dispatcher, last position, floor, and how far an epoch known before is good';
REVOKE ALL ON FUNCTION pulse.bridge_hello(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_hello(text, text) TO pulse_bridge;

-- pulse.bridge_read(after bigint, up_to bigint, max_events integer default 1000)
-- The events with after < position <= up_to in order. Quarantined events have no row and do not count.
CREATE OR REPLACE FUNCTION pulse.bridge_read(after bigint, up_to bigint, max_events integer DEFAULT 1000)
    RETURNS TABLE ("position" bigint, id bigint, rooms json, name json, headers json, payload json, attachments bytea[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_after bigint := bridge_read.after;
    v_left  bigint := bridge_read.max_events;
    v_rows  bigint;
    v_seen  bigint;
    v_last  bigint;
BEGIN
    PERFORM _pulse.check_floor(bridge_read.after);
    LOOP
        RETURN QUERY
        SELECT r.position, e.id, array_to_json(e.rooms), to_json(e.name), e.headers, e.payload, e.attachments
        FROM _pulse.positions(v_after, bridge_read.up_to, v_left) r
        JOIN pulse.events e ON e.xid = r.xid AND e.id = r.id
        ORDER BY r.position;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        EXIT WHEN v_rows >= v_left
               OR v_rows = least(bridge_read.up_to, (SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1)) - v_after;
        -- A page that is not full is the last one: an event whose row somebody has deleted takes no place of it.
        SELECT count(*), max(r.position) INTO v_seen, v_last FROM _pulse.positions(v_after, bridge_read.up_to, v_left) r;
        EXIT WHEN v_seen IS DISTINCT FROM v_left;   -- max_events may be null: all of them
        v_after := v_last;
        v_left := v_left - v_rows;
    END LOOP;
    PERFORM _pulse.check_floor(bridge_read.after);   -- after the last row: TRUNCATE is not MVCC
END
$$;
COMMENT ON FUNCTION pulse.bridge_read(bigint, bigint, integer) IS 'bridge: the events of a range of positions, in order';
REVOKE ALL ON FUNCTION pulse.bridge_read(bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_read(bigint, bigint, integer) TO pulse_bridge;

-- pulse.bridge_history(rooms text[], after bigint, up_to bigint, max_events integer default 1000)
-- Of the same range the events for any of the rooms, each once. However long the range is: what it costs grows with rooms and rows.
CREATE OR REPLACE FUNCTION pulse.bridge_history(rooms text[], after bigint, up_to bigint, max_events integer DEFAULT 1000,
        OUT "position" bigint, OUT id bigint, OUT rooms json, OUT name json, OUT headers json, OUT payload json, OUT attachments bytea[])
    RETURNS SETOF record LANGUAGE c STABLE SECURITY DEFINER ROWS 1000
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS 'MODULE_PATHNAME', 'pulse_bridge_history';
COMMENT ON FUNCTION pulse.bridge_history(text[], bigint, bigint, integer) IS 'bridge: of a range of positions the events for any of some rooms, in order';
REVOKE ALL ON FUNCTION pulse.bridge_history(text[], bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_history(text[], bigint, bigint, integer) TO pulse_bridge;
