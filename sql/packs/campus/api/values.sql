-- Settings of this pack as typed values; cells of the heatmap.

CREATE OR REPLACE FUNCTION campus.heatmap_min_interval() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('campus', 'heatmap_min_interval')::interval;
END;
COMMENT ON FUNCTION campus.heatmap_min_interval() IS 'setting campus.heatmap_min_interval: the least time between two heatmaps of an organization';

CREATE OR REPLACE FUNCTION campus.heatmap_cell_m() RETURNS double precision
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT greatest(pulse.setting('campus', 'heatmap_cell_m')::double precision, 1);
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
CREATE OR REPLACE FUNCTION _campus.cell_of(latitude double precision, longitude double precision, metres double precision,
                                           OUT cell text, OUT centre_latitude double precision, OUT centre_longitude double precision)
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_row    double precision := floor(latitude * 111320 / metres);
    v_middle double precision := least(greatest((v_row + 0.5) * metres / 111320, -90), 90);
    v_degree double precision := 111320 * greatest(cos(radians(v_middle)), 0.001);
    v_column double precision := floor(longitude * v_degree / metres);
BEGIN
    cell := v_row::bigint || ':' || v_column::bigint;
    centre_latitude := round(v_middle::numeric, 6);
    centre_longitude := round(((v_column + 0.5) * metres / v_degree)::numeric, 6);
END
$$;
COMMENT ON FUNCTION _campus.cell_of(double precision, double precision, double precision) IS
    'the cell of the heatmap that a position is in, and the middle of the cell';
