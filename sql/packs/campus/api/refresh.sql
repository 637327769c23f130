-- Heatmap and statistics follow the issues. A change stores a job and nothing else: it waits for nobody and counts nothing. The job
-- makes the summaries once, and finds for each further change whether the last ones have seen it: a thousand changes at once cost two.

CREATE OR REPLACE FUNCTION _campus.on_issues() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.enqueue('campus', 'sql',
        json_build_object('function', 'campus.refresh', 'args', json_build_object('organizationId', c.organization_id, 'xid', pg_current_xact_id()::text)),
        run_at => greatest(now(), r.at + campus.heatmap_min_interval()))
       FROM (SELECT DISTINCT o.organization_id FROM changed o) c
       LEFT JOIN _campus.refreshes r ON r.organization_id = c.organization_id;
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
    v_last         _campus.refreshes;
    v_seen         pg_snapshot;
    v_told         jsonb := '{}';
    v_counts       jsonb;
    v_cells        json;
    v_campus       text;
    v_published    integer := 0;
BEGIN
    INSERT INTO _campus.refreshes (organization_id) SELECT o.id FROM campus.organizations o WHERE o.id = v_organization
        ON CONFLICT ON CONSTRAINT refreshes_pkey DO NOTHING;
    SELECT * INTO v_last FROM _campus.refreshes r WHERE r.organization_id = v_organization FOR UPDATE;
    IF NOT FOUND OR v_last.seen IS NOT NULL AND pg_visible_in_snapshot((refresh.args ->> 'xid')::xid8, v_last.seen) THEN
        RETURN json_build_object('published', 0);
    END IF;
    IF v_last.at + campus.heatmap_min_interval() > clock_timestamp() THEN      -- it was stored before the last summaries were made
        -- one for all of those: what one of them has seen when it runs, is seen of all
        PERFORM pulse.enqueue('campus', 'sql', json_build_object('function', 'campus.refresh', 'args', refresh.args),
            run_at => v_last.at + campus.heatmap_min_interval(), unique_key => 'campus.refresh ' || md5(v_organization));
        RETURN json_build_object('published', 0);
    END IF;

    v_seen := pg_current_snapshot();               -- before what it must not claim to have seen
    v_counts := _campus.counts(v_organization);
    v_told := jsonb_build_object('stats', md5(v_counts::text));
    IF v_last.told -> 'stats' IS DISTINCT FROM v_told -> 'stats' THEN
        PERFORM pulse.publish(_campus.room('org', v_organization), 'stats:updated', _campus.stats_json(v_organization, v_counts),
            partition_key => v_organization);
        v_published := v_published + 1;
    END IF;
    v_cells := _campus.cells(v_organization, NULL);
    v_told := v_told || jsonb_build_object('heatmap', md5(v_cells::text));
    IF v_last.told -> 'heatmap' IS DISTINCT FROM v_told -> 'heatmap' THEN
        PERFORM pulse.publish(ARRAY[_campus.room('heatmap', v_organization), _campus.room('org', v_organization)], 'heatmap:updated',
            _campus.heatmap_json(v_organization, NULL, v_cells), partition_key => v_organization);
        v_published := v_published + 1;
    END IF;
    FOR v_campus IN SELECT c.id FROM campus.campuses c WHERE c.organization_id = v_organization ORDER BY c.id LOOP
        v_cells := _campus.cells(v_organization, v_campus);
        v_told := v_told || jsonb_build_object('campus:' || v_campus, md5(v_cells::text));
        IF coalesce(v_last.told ->> ('campus:' || v_campus), md5('[]')) IS DISTINCT FROM v_told ->> ('campus:' || v_campus) THEN
            PERFORM pulse.publish(_campus.room('campus', v_campus), 'heatmap:updated',
                _campus.heatmap_json(v_organization, v_campus, v_cells), partition_key => v_organization);
            v_published := v_published + 1;
        END IF;
    END LOOP;

    UPDATE _campus.refreshes r SET at = clock_timestamp(), seen = v_seen, told = v_told WHERE r.organization_id = v_organization;
    RETURN json_build_object('published', v_published);
END
$$;
COMMENT ON FUNCTION campus.refresh(json) IS
    'job: publishes stats:updated and heatmap:updated of an organization when they have changed, at most once in heatmap_min_interval';
REVOKE EXECUTE ON FUNCTION campus.refresh(json) FROM PUBLIC;
