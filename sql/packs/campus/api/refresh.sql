-- Heatmap and statistics follow the issues. The change itself counts nothing and waits for nobody: it stores a job, or, while issues of
-- its organization change all the time, not even that.
--
--   idle ──a change's job: at once──► armed ──nothing has changed──► closing ──nobody relies on it──► idle
--                                      ▲ │ ▲                            │
--                                      └─┘ └──something has changed─────┘         each ─► a job, heatmap_min_interval after the last
--
-- While it is armed, changes rely on the chain: it will run once more after they have committed. So it does not end before all transactions
-- have ended that can have seen it armed: those below the xmax of a snapshot that was taken after it was closing.

CREATE OR REPLACE FUNCTION _campus.on_issues() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A snapshot of the transaction's beginning may show a chain that is long over.
    PERFORM pulse.enqueue('campus', 'sql',
        json_build_object('function', 'campus.refresh', 'args', json_build_object('organizationId', c.organization_id)), priority => 10)
       FROM (SELECT DISTINCT o.organization_id FROM changed o) c
      WHERE current_setting('transaction_isolation') <> 'read committed'
         OR NOT EXISTS (SELECT FROM _campus.refreshes r
                         WHERE r.organization_id = c.organization_id AND r.armed AND r.alive_until > clock_timestamp());
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    -- an issue is worth more than its heatmap
    RAISE WARNING 'heatmap and statistics will not follow: %', SQLERRM;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _campus.on_issues() IS 'trigger: a job that publishes heatmap and statistics of the organizations whose issues changed';

CREATE OR REPLACE FUNCTION campus.refresh(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_organization text := refresh.args ->> 'organizationId';
    v_chain        bigint := (refresh.args ->> 'chain')::bigint;
    v_now          timestamptz := clock_timestamp();
    v_next         timestamptz;
    v_row          _campus.refreshes;
    v_seen         pg_snapshot;
    v_due          boolean;
    v_published    integer := 0;
BEGIN
    INSERT INTO _campus.refreshes (organization_id) SELECT o.id FROM campus.organizations o WHERE o.id = v_organization
        ON CONFLICT ON CONSTRAINT refreshes_pkey DO NOTHING;
    SELECT * INTO v_row FROM _campus.refreshes r WHERE r.organization_id = v_organization FOR UPDATE;
    IF NOT FOUND OR v_chain <> v_row.chain THEN
        RETURN json_build_object('published', 0);          -- gone, or a chain that was given up
    END IF;
    IF v_chain IS NULL AND v_row.alive_until > v_now THEN  -- a change while the chain was closing: it goes on
        UPDATE _campus.refreshes r SET armed = true, boundary = NULL WHERE r.organization_id = v_organization;
        RETURN json_build_object('published', 0);
    END IF;

    v_seen := pg_current_snapshot();                       -- before what is counted
    v_due := v_row.at + campus.heatmap_min_interval() <= v_now;
    IF v_due THEN
        v_published := _campus.publish_summaries(v_row);
        v_next := v_now + campus.heatmap_min_interval();
    ELSE
        v_next := v_row.at + campus.heatmap_min_interval();
    END IF;
    IF v_chain IS NULL OR v_published > 0 THEN
        v_row.armed := true;
        v_row.boundary := NULL;
    ELSIF v_due AND v_row.armed THEN
        v_row.armed := false;
    ELSIF v_due THEN
        v_row.boundary := coalesce(v_row.boundary, pg_snapshot_xmax(v_seen));
        IF pg_snapshot_xmin(v_seen) >= v_row.boundary THEN
            v_next := NULL;                                -- nobody relies on it
        END IF;
    END IF;

    v_row.chain := coalesce(v_chain, v_row.chain + 1);
    UPDATE _campus.refreshes r
       SET chain = v_row.chain, armed = v_row.armed, boundary = CASE WHEN v_next IS NOT NULL THEN v_row.boundary END,
           alive_until = coalesce(v_next + interval '1 min', '-infinity')
     WHERE r.organization_id = v_organization;
    IF v_next IS NOT NULL THEN
        PERFORM pulse.enqueue('campus', 'sql',
            json_build_object('function', 'campus.refresh', 'args', json_build_object('organizationId', v_organization, 'chain', v_row.chain)),
            priority => 10, run_at => v_next);
    END IF;
    RETURN json_build_object('published', v_published);
END
$$;
COMMENT ON FUNCTION campus.refresh(json) IS
    'job: publishes stats:updated and heatmap:updated of an organization when they have changed, at most once in heatmap_min_interval';
REVOKE EXECUTE ON FUNCTION campus.refresh(json) FROM PUBLIC;

CREATE OR REPLACE FUNCTION _campus.publish_summaries(refreshed _campus.refreshes) RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_organization text := refreshed.organization_id;
    v_last         jsonb := refreshed.told;
    v_counts       jsonb := _campus.counts(v_organization);
    v_cells        json := _campus.cells(v_organization, NULL);
    v_told         jsonb := jsonb_build_object('stats', md5(v_counts::text), 'heatmap', md5(v_cells::text));
    v_campus       text;
    v_published    integer := 0;
BEGIN
    IF v_last -> 'stats' IS DISTINCT FROM v_told -> 'stats' THEN
        PERFORM pulse.publish('org:' || pulse.room_part(v_organization), 'stats:updated', _campus.stats_json(v_organization, v_counts),
            partition_key => v_organization);
        v_published := v_published + 1;
    END IF;
    IF v_last -> 'heatmap' IS DISTINCT FROM v_told -> 'heatmap' THEN
        PERFORM pulse.publish(ARRAY['heatmap:' || pulse.room_part(v_organization), 'org:' || pulse.room_part(v_organization)], 'heatmap:updated',
            _campus.heatmap_json(v_organization, NULL, v_cells), partition_key => v_organization);
        v_published := v_published + 1;
    END IF;
    FOR v_campus IN SELECT c.id FROM campus.campuses c WHERE c.organization_id = v_organization ORDER BY c.id LOOP
        v_cells := _campus.cells(v_organization, v_campus);
        v_told := v_told || jsonb_build_object('campus:' || v_campus, md5(v_cells::text));
        IF coalesce(v_last ->> ('campus:' || v_campus), md5('[]')) IS DISTINCT FROM v_told ->> ('campus:' || v_campus) THEN
            PERFORM pulse.publish('campus:' || pulse.room_part(v_campus), 'heatmap:updated',
                _campus.heatmap_json(v_organization, v_campus, v_cells), partition_key => v_organization);
            v_published := v_published + 1;
        END IF;
    END LOOP;
    UPDATE _campus.refreshes r SET at = clock_timestamp(), told = v_told WHERE r.organization_id = v_organization;
    RETURN v_published;
END
$$;
COMMENT ON FUNCTION _campus.publish_summaries(_campus.refreshes) IS 'publishes what has changed of an organization''s heatmaps and statistics; how many events';
