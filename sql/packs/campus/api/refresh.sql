-- Heatmap and statistics follow the issues. The change itself counts nothing and waits for nobody: it stores a job, or, while issues of
-- its organization change all the time, not even that.
--
--   idle ──a change's job: at once──► armed ──nothing has changed──► closing ──nobody relies on it──► idle
--                                      ▲ │ ▲                            │
--                                      └─┘ └──something has changed─────┘         each ─► a job, heatmap_min_interval after the last
--
-- While it is armed, changes rely on the chain: it will run once more after they have committed. So it does not end before all transactions
-- have ended that can have seen it armed: those below the xmax of a snapshot that was taken after it was closing.

-- A snapshot of the transaction's beginning may show a chain that is long over: who has one relies on none.
CREATE OR REPLACE FUNCTION _campus.ask_refresh(organizations text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.enqueue('campus', 'sql',
        json_build_object('function', 'campus.refresh', 'args', json_build_object('organizationId', c.organization_id)), priority => 10)
       FROM (SELECT DISTINCT o.organization_id FROM unnest(ask_refresh.organizations) AS o (organization_id)) c
      WHERE current_setting('transaction_isolation') <> 'read committed'
         OR NOT EXISTS (SELECT FROM _campus.refreshes r
                         WHERE r.organization_id = c.organization_id AND r.armed AND r.alive_until > clock_timestamp());
EXCEPTION WHEN OTHERS THEN
    -- An issue is worth more than its heatmap. A line in a while says so: one for each change would cost more than the change. Times are
    -- compared as text, which cannot fail, whatever a user sets there; who sets a late one silences the own session's warnings, no more.
    IF coalesce(current_setting('pulse_campus.warned_at', true), '') COLLATE "C"
            < to_char((clock_timestamp() - interval '10 seconds') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS') THEN
        PERFORM set_config('pulse_campus.warned_at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'), false);
        RAISE WARNING 'heatmap and statistics will not follow: %', SQLERRM;
    END IF;
END
$$;
COMMENT ON FUNCTION _campus.ask_refresh(text[]) IS 'sees to it that heatmap and statistics of organizations are published';

CREATE OR REPLACE FUNCTION _campus.on_issues() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM _campus.ask_refresh(ARRAY(SELECT r.organization_id FROM _campus.refreshes r));
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM _campus.ask_refresh(ARRAY(SELECT w.organization_id FROM was w UNION SELECT c.organization_id FROM changed c));
    ELSE
        PERFORM _campus.ask_refresh(ARRAY(SELECT DISTINCT c.organization_id FROM changed c));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _campus.on_issues() IS 'trigger: heatmap and statistics of the organizations whose issues changed';

CREATE OR REPLACE FUNCTION _campus.on_building_moved() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _campus.ask_refresh(ARRAY[NEW.organization_id]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _campus.on_building_moved() IS 'trigger: the heatmap of the organization whose building is elsewhere';

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
    v_told         jsonb := jsonb_build_object('stats', md5(v_counts::text));
    v_map          record;
    v_published    integer := 0;
BEGIN
    IF v_last -> 'stats' IS DISTINCT FROM v_told -> 'stats' THEN
        PERFORM pulse.publish('org:' || pulse.room_part(v_organization), 'stats:updated', _campus.stats_json(v_organization, v_counts),
            partition_key => v_organization);
        v_published := v_published + 1;
    END IF;
    -- that of the organization first, which is told also when it has always been empty
    FOR v_map IN
        SELECT p.campus, p.key, p.untold, coalesce(h.cells, '[]') AS cells
          FROM (SELECT NULL::text AS campus, 'heatmap' AS key, NULL::text AS untold
                UNION ALL
                SELECT c.id, 'campus:' || c.id, md5('[]') FROM campus.campuses c WHERE c.organization_id = v_organization) p
          LEFT JOIN _campus.heatmaps(v_organization, NULL) h ON h.campus IS NOT DISTINCT FROM p.campus
         ORDER BY p.campus NULLS FIRST
    LOOP
        v_told := v_told || jsonb_build_object(v_map.key, md5(v_map.cells::text));
        IF coalesce(v_last ->> v_map.key, v_map.untold) IS DISTINCT FROM v_told ->> v_map.key THEN
            PERFORM pulse.publish(CASE WHEN v_map.campus IS NULL THEN ARRAY['heatmap:' || pulse.room_part(v_organization), 'org:' || pulse.room_part(v_organization)]
                                       ELSE ARRAY['campus:' || pulse.room_part(v_map.campus)] END,
                'heatmap:updated', _campus.heatmap_json(v_organization, v_map.campus, v_map.cells), partition_key => v_organization);
            v_published := v_published + 1;
        END IF;
    END LOOP;
    UPDATE _campus.refreshes r SET at = clock_timestamp(), told = v_told WHERE r.organization_id = v_organization;
    RETURN v_published;
END
$$;
COMMENT ON FUNCTION _campus.publish_summaries(_campus.refreshes) IS 'publishes what has changed of an organization''s heatmaps and statistics; how many events';
