-- Settings of this pack as typed values; cells of the heatmap.

CREATE OR REPLACE FUNCTION campus.heatmap_min_interval() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('campus', 'heatmap_min_interval')::interval;
END;
COMMENT ON FUNCTION campus.heatmap_min_interval() IS 'setting campus.heatmap_min_interval: the least time between two heatmaps of an organization';

CREATE OR REPLACE FUNCTION campus.heatmap_period() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('campus', 'heatmap_period')::interval;
END;
COMMENT ON FUNCTION campus.heatmap_period() IS 'setting campus.heatmap_period: how often a heatmap is told that has not changed';

CREATE OR REPLACE FUNCTION campus.heatmap_cell_m() RETURNS double precision
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('campus', 'heatmap_cell_m')::double precision;
END;
COMMENT ON FUNCTION campus.heatmap_cell_m() IS 'setting campus.heatmap_cell_m: side of a cell of the heatmap in metres';

CREATE OR REPLACE FUNCTION _campus.weight(severity text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE weight.severity WHEN 'low' THEN 1 WHEN 'medium' THEN 2 WHEN 'high' THEN 4 WHEN 'critical' THEN 8 END;
END;
COMMENT ON FUNCTION _campus.weight(text) IS 'what an issue counts in the heatmap';

-- A degree of latitude is 111,320 m; of longitude as much times the cosine of the latitude, here of the middle of the row of cells,
-- so that all cells of a row are equally wide.
CREATE OR REPLACE FUNCTION _campus.middle_latitude(cell_row bigint, metres double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT least(greatest((middle_latitude.cell_row + 0.5) * middle_latitude.metres / 111320, -90), 90);
END;
COMMENT ON FUNCTION _campus.middle_latitude(bigint, double precision) IS 'latitude of the middle of a row of cells';

CREATE OR REPLACE FUNCTION _campus.metres_of_degree(latitude double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 111320 * greatest(cos(radians(metres_of_degree.latitude)), 0.001);
END;
COMMENT ON FUNCTION _campus.metres_of_degree(double precision) IS 'length of a degree of longitude';

CREATE OR REPLACE FUNCTION _campus.cell_of(latitude double precision, longitude double precision, metres double precision)
    RETURNS TABLE (cell_row bigint, cell_column bigint)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT r.n, floor(cell_of.longitude * _campus.metres_of_degree(_campus.middle_latitude(r.n, cell_of.metres)) / cell_of.metres)::bigint
      FROM (SELECT floor(cell_of.latitude * 111320 / cell_of.metres)::bigint) AS r (n);
END;
COMMENT ON FUNCTION _campus.cell_of(double precision, double precision, double precision) IS 'the cell of the heatmap that a position is in';

CREATE OR REPLACE FUNCTION _campus.middle_of(cell_row bigint, cell_column bigint, metres double precision)
    RETURNS TABLE (latitude double precision, longitude double precision)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT round(l.latitude::numeric, 6)::double precision,
           round(((middle_of.cell_column + 0.5) * middle_of.metres / _campus.metres_of_degree(l.latitude))::numeric, 6)::double precision
      FROM (SELECT _campus.middle_latitude(middle_of.cell_row, middle_of.metres)) AS l (latitude);
END;
COMMENT ON FUNCTION _campus.middle_of(bigint, bigint, double precision) IS 'the middle of a cell of the heatmap';
