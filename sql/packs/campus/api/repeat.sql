-- The heatmap of an organization once more every heatmap_period, also when nothing has changed, as long as somebody may be looking: for a day
-- after its stream was opened last. (Streams end with their tokens, and open again.)

CREATE OR REPLACE FUNCTION _campus.watch(organization text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_due timestamptz := v_now + campus.heatmap_period();
BEGIN
    IF v_due = v_now OR EXISTS (SELECT FROM _campus.repeats r WHERE r.organization_id = watch.organization AND r.watched_until > v_now + interval '12 hours'
                                   AND r.due_at BETWEEN v_now - interval '1 minute' AND v_due) THEN
        RETURN;   -- the usual case writes nothing
    END IF;
    INSERT INTO _campus.repeats AS r (organization_id, watched_until, due_at) VALUES (watch.organization, v_now + interval '1 day', v_due)
        ON CONFLICT ON CONSTRAINT repeats_pkey DO UPDATE SET watched_until = excluded.watched_until, due_at = excluded.due_at
        WHERE r.watched_until <= v_now + interval '12 hours' OR r.due_at NOT BETWEEN v_now - interval '1 minute' AND v_due;   -- of many at once the first
    IF FOUND THEN
        PERFORM _campus.arm_repeat(watch.organization, v_due);
    END IF;
END
$$;
COMMENT ON FUNCTION _campus.watch(text) IS 'somebody looks at the heatmap of an organization from now on';

CREATE OR REPLACE FUNCTION _campus.arm_repeat(organization text, at timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('campus', 'sql',
        json_build_object('function', 'campus.repeat_heatmap', 'args', json_build_object('organizationId', arm_repeat.organization)),
        priority => 10, run_at => arm_repeat.at, unique_key => 'campus.repeat_heatmap:' || arm_repeat.organization, unique_mode => 'replace')
$$;
COMMENT ON FUNCTION _campus.arm_repeat(text, timestamptz) IS 'sees to it that campus.repeat_heatmap runs at that time, in place of the time that was said before';

CREATE OR REPLACE FUNCTION campus.repeat_heatmap(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_organization text := repeat_heatmap.args ->> 'organizationId';
    v_row          _campus.repeats;
    v_due          timestamptz := clock_timestamp() + campus.heatmap_period();
BEGIN
    SELECT * INTO v_row FROM _campus.repeats r WHERE r.organization_id = v_organization FOR UPDATE;
    IF v_row.watched_until > clock_timestamp() AND campus.heatmap_period() > interval '0' THEN
        PERFORM pulse.publish('heatmap:' || pulse.room_part(v_organization), 'heatmap:updated', campus.heatmap(v_organization), partition_key => v_organization);
        UPDATE _campus.repeats r SET due_at = v_due WHERE r.organization_id = v_organization;
        PERFORM _campus.arm_repeat(v_organization, v_due);
        RETURN json_build_object('published', 1);
    END IF;
    DELETE FROM _campus.repeats r WHERE r.organization_id = v_organization;
    RETURN json_build_object('published', 0);
END
$$;
COMMENT ON FUNCTION campus.repeat_heatmap(json) IS 'job: publishes heatmap:updated of an organization once more, every heatmap_period while somebody may be looking';
REVOKE EXECUTE ON FUNCTION campus.repeat_heatmap(json) FROM PUBLIC;
