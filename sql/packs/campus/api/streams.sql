-- Event streams of dashboards, and the same payloads once for who polls.

CREATE OR REPLACE FUNCTION _campus.organization_of(request json) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN _campus.require_access(coalesce(organization_of.request -> 'query' ->> 'organizationId', _campus.require_own()));
END
$$;
COMMENT ON FUNCTION _campus.organization_of(json) IS 'the organization that a request names, else the token''s, or an error';

CREATE OR REPLACE FUNCTION campus.heatmap_stream(request json) RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_organization text := _campus.organization_of(request);
BEGIN
    PERFORM _campus.watch(v_organization);
    RETURN json_build_object(
        'rooms', json_build_array('heatmap:' || pulse.room_part(v_organization)),
        'events', json_build_array('heatmap:updated'),
        'first', json_build_array(json_build_object('event', 'heatmap:updated', 'data', campus.heatmap(v_organization))));
END
$$;
COMMENT ON FUNCTION campus.heatmap_stream(json) IS 'GET /api/realtime/heatmap/stream?organizationId=: heatmap:updated at once, when it changes, and every heatmap_period';

CREATE OR REPLACE FUNCTION campus.stats_stream(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_organization text := _campus.organization_of(request);
BEGIN
    RETURN json_build_object(
        'rooms', json_build_array('org:' || pulse.room_part(v_organization)),
        'events', json_build_array('stats:updated'),
        'first', json_build_array(json_build_object('event', 'stats:updated', 'data', campus.stats(v_organization))));
END
$$;
COMMENT ON FUNCTION campus.stats_stream(json) IS 'GET /api/realtime/stats/stream?organizationId=: stats:updated at once and when it changes';

CREATE OR REPLACE FUNCTION campus.issue_stream(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN json_build_object(
        'rooms', to_json(_campus.rooms_of((SELECT json_object_agg(q.key, q.value) FROM json_each(request -> 'query') q
                                            WHERE q.key IN ('organizationId', 'campusId', 'buildingId')))),
        'events', json_build_array('issue:created', 'issue:updated', 'issue:resolved', 'issue:assigned', 'issue:deleted'));
END
$$;
COMMENT ON FUNCTION campus.issue_stream(json) IS
    'GET /api/realtime/issues/stream?organizationId=|campusId=|buildingId=: the events issue:*';

CREATE OR REPLACE FUNCTION campus.get_heatmap(request json) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT campus.heatmap(_campus.organization_of(get_heatmap.request))
$$;
COMMENT ON FUNCTION campus.get_heatmap(json) IS 'GET /api/realtime/heatmap?organizationId=: what heatmap:updated tells';

CREATE OR REPLACE FUNCTION campus.get_stats(request json) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT campus.stats(_campus.organization_of(get_stats.request))
$$;
COMMENT ON FUNCTION campus.get_stats(json) IS 'GET /api/realtime/stats?organizationId=: what stats:updated tells';

REVOKE EXECUTE ON FUNCTION campus.heatmap_stream(json), campus.stats_stream(json), campus.issue_stream(json), campus.get_heatmap(json),
    campus.get_stats(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campus.heatmap_stream(json), campus.stats_stream(json), campus.issue_stream(json), campus.get_heatmap(json),
    campus.get_stats(json) TO pulse_client;
