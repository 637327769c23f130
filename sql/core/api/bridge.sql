-- How a bridge finds the stream and reads a range of it. docs/reference/bridge.md.

-- pulse.bridge_hello(bridge text) returns json
CREATE OR REPLACE FUNCTION pulse.bridge_hello(bridge text) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_bridge_hello';
COMMENT ON FUNCTION pulse.bridge_hello(text) IS 'bridge: epoch, secret channel, dispatcher and last position';
REVOKE ALL ON FUNCTION pulse.bridge_hello(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.bridge_hello(text) TO pulse_bridge;

-- pulse.bridge_read(after bigint, up_to bigint, max_events integer default 1000)
-- The events with after < position <= up_to in order. Ticks are dense and ordered, so the ones needed are those from the
-- first with last_position > after to the first with last_position >= up_to: both ends by the index. Of each only the
-- needed piece of its arrays is unnested. Quarantined events have no row and do not count.
CREATE OR REPLACE FUNCTION pulse.bridge_read(after bigint, up_to bigint, max_events integer DEFAULT 1000)
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
