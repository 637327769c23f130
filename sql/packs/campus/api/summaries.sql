-- Heatmap and statistics of an organization, as clients read them in events, in streams and when they poll.

-- The cells without the time of making, by which it is seen whether anything has changed: of the whole organization (campus null) and of
-- each campus with unresolved issues, or of one. At most 5,000 each, the heaviest: an event has an end.
CREATE OR REPLACE FUNCTION _campus.heatmaps(organization text, only_campus text) RETURNS TABLE (campus text, cells json)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH setting AS MATERIALIZED (SELECT campus.heatmap_cell_m() AS metres),   -- read once
    placed AS (
        SELECT i.campus_id, _campus.weight(i.severity) AS weight, c.cell_row, c.cell_column
          FROM setting s
         CROSS JOIN campus.issues i
          LEFT JOIN campus.buildings b ON b.id = i.building_id
         CROSS JOIN LATERAL _campus.cell_of(coalesce(i.latitude, b.latitude), coalesce(i.longitude, b.longitude), s.metres) c
         WHERE i.organization_id = heatmaps.organization AND i.status <> 'resolved'
           AND (heatmaps.only_campus IS NULL OR i.campus_id = heatmaps.only_campus) AND c.cell_row IS NOT NULL),
    counted AS (
        SELECT p.campus_id, p.cell_row, p.cell_column, count(*) AS n, sum(p.weight) AS weight
          FROM placed p
         GROUP BY GROUPING SETS ((p.cell_row, p.cell_column), (p.campus_id, p.cell_row, p.cell_column))),
    ranked AS (
        SELECT c.*, c.cell_row || ':' || c.cell_column AS cell,
               row_number() OVER (PARTITION BY c.campus_id ORDER BY c.weight DESC, c.cell_row, c.cell_column) AS rank
          FROM counted c)
    SELECT r.campus_id, json_agg(json_build_object('cell', r.cell, 'latitude', m.latitude, 'longitude', m.longitude, 'count', r.n, 'weight', r.weight)
                                 ORDER BY r.cell COLLATE "C")
      FROM setting s
     CROSS JOIN ranked r
     CROSS JOIN LATERAL _campus.middle_of(r.cell_row, r.cell_column, s.metres) m
     WHERE r.rank <= 5000
     GROUP BY r.campus_id
$$;
COMMENT ON FUNCTION _campus.heatmaps(text, text) IS 'cells with the unresolved issues of an organization, campus null, and of its campuses';

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
    SELECT _campus.heatmap_json(heatmap.organization, heatmap.campus,
               coalesce((SELECT h.cells FROM _campus.heatmaps(heatmap.organization, heatmap.campus) h WHERE h.campus IS NOT DISTINCT FROM heatmap.campus), '[]'))
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
