-- Heatmap and statistics of an organization, as clients read them in events, in streams and when they poll.

-- The cells without the time of making, by which it is seen whether anything has changed. At most 5,000, the heaviest: an event has an end.
CREATE OR REPLACE FUNCTION _campus.cells(organization text, campus text) RETURNS json
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(json_agg(json_build_object('cell', g.cell, 'latitude', g.centre_latitude, 'longitude', g.centre_longitude,
                                               'count', g.n, 'weight', g.weight) ORDER BY g.cell COLLATE "C"), '[]')
      FROM (SELECT c.cell, c.centre_latitude, c.centre_longitude, count(*) AS n, sum(_campus.weight(i.severity)) AS weight
              FROM campus.issues i
              LEFT JOIN campus.buildings b ON b.id = i.building_id
             CROSS JOIN LATERAL _campus.cell_of(coalesce(i.latitude, b.latitude), coalesce(i.longitude, b.longitude), campus.heatmap_cell_m()) c
             WHERE i.organization_id = cells.organization AND i.status <> 'resolved' AND c.cell IS NOT NULL
               AND i.campus_id = coalesce(cells.campus, i.campus_id)
             GROUP BY 1, 2, 3
             ORDER BY weight DESC, c.cell LIMIT 5000) g
$$;
COMMENT ON FUNCTION _campus.cells(text, text) IS 'cells with the unresolved issues of an organization, or of one campus';

CREATE OR REPLACE FUNCTION _campus.heatmap_json(organization text, campus text, cells json) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN heatmap_json.campus IS NULL
                THEN json_build_object('organizationId', heatmap_json.organization,
                                       'cells', heatmap_json.cells, 'generatedAt', pulse.iso8601(now()))
                ELSE json_build_object('organizationId', heatmap_json.organization, 'campusId', heatmap_json.campus,
                                       'cells', heatmap_json.cells, 'generatedAt', pulse.iso8601(now())) END;
END;
COMMENT ON FUNCTION _campus.heatmap_json(text, text, json) IS 'the payload of heatmap:updated';

CREATE OR REPLACE FUNCTION campus.heatmap(organization text, campus text DEFAULT NULL) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT _campus.heatmap_json(heatmap.organization, heatmap.campus, _campus.cells(heatmap.organization, heatmap.campus))
$$;
COMMENT ON FUNCTION campus.heatmap(text, text) IS 'the heatmap of an organization''s unresolved issues, or of one campus, as clients read it';
REVOKE EXECUTE ON FUNCTION campus.heatmap(text, text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION _campus.counts(organization text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
               'open', coalesce(sum(n) FILTER (WHERE g.status = 'open'), 0),
               'assigned', coalesce(sum(n) FILTER (WHERE g.status = 'assigned'), 0),
               'inProgress', coalesce(sum(n) FILTER (WHERE g.status = 'in_progress'), 0),
               'resolved', coalesce(sum(n) FILTER (WHERE g.status = 'resolved'), 0),
               'total', coalesce(sum(n), 0),
               'byBuilding', (SELECT coalesce(jsonb_object_agg(b.building_id, b.n), '{}')
                                FROM (SELECT i.building_id, count(*) AS n FROM campus.issues i
                                       WHERE i.organization_id = counts.organization AND i.building_id IS NOT NULL GROUP BY 1) b))
      FROM (SELECT i.status, count(*) AS n FROM campus.issues i WHERE i.organization_id = counts.organization GROUP BY 1) g
$$;
COMMENT ON FUNCTION _campus.counts(text) IS 'how many issues an organization has, by status and by building';

CREATE OR REPLACE FUNCTION _campus.stats_json(organization text, counts jsonb) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object('organizationId', stats_json.organization, 'open', stats_json.counts -> 'open',
               'assigned', stats_json.counts -> 'assigned', 'inProgress', stats_json.counts -> 'inProgress',
               'resolved', stats_json.counts -> 'resolved', 'total', stats_json.counts -> 'total',
               'byBuilding', stats_json.counts -> 'byBuilding', 'generatedAt', pulse.iso8601(now()));
END;
COMMENT ON FUNCTION _campus.stats_json(text, jsonb) IS 'the payload of stats:updated';

CREATE OR REPLACE FUNCTION campus.stats(organization text) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT _campus.stats_json(stats.organization, _campus.counts(stats.organization))
$$;
COMMENT ON FUNCTION campus.stats(text) IS 'how many issues an organization has, as clients read it';
REVOKE EXECUTE ON FUNCTION campus.stats(text) FROM PUBLIC;
