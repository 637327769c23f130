-- donors.nearby: the nearest available donors who can give to a group, on two partial indexes (schema/presence.sql).
--
-- The index orders by distance on the Mercator plane, snapped to a grid; the answer orders by the exact geodesic distance.
-- Both agree up to a known factor, so the nearest rows of the index are read with a small margin, measured exactly, and the
-- answer stands when even the best case of the next index row is farther than the last donor of the answer. If it does not
-- (dense grid cells, distortion near the poles), everything within that last donor's distance is read and measured instead.
-- So the answer always equals brute force. Nobody here writes anything.

CREATE OR REPLACE FUNCTION _donors.mercator(latitude double precision, longitude double precision) RETURNS point
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT point(6378137 * radians(mercator.longitude),
                 6378137 * ln(tan(pi() / 4 + radians(greatest(-89.9, least(89.9, mercator.latitude))) / 2)));
END;
COMMENT ON FUNCTION _donors.mercator(double precision, double precision) IS
    'Mercator metres of a position; beyond 89.9 degrees the pole itself, so that it stays finite';

-- Boxes that hold every hot_position within so many metres of a position: one; two where they cross the antimeridian; one
-- around the whole world where they hold a pole. A little too large is right, too small is not: 6335439 is the smallest
-- radius of curvature of the ellipsoid, 1 % is added for the sphere's longitudes, 250 m for the grid.
CREATE OR REPLACE FUNCTION _donors.search_boxes(latitude double precision, longitude double precision, metres double precision)
    RETURNS box[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_angle double precision := least(search_boxes.metres / 6335439 * 1.01, pi());
    v_south double precision := search_boxes.latitude - degrees(v_angle);
    v_north double precision := search_boxes.latitude + degrees(v_angle);
    v_edge  constant double precision := 6378137 * pi() + 250;
    v_y1    double precision;
    v_y2    double precision;
    v_x     double precision;
    v_dx    double precision;
BEGIN
    v_y1 := (_donors.mercator(v_south, 0))[1] - 250;
    v_y2 := (_donors.mercator(v_north, 0))[1] + 250;
    IF v_south <= -89 OR v_north >= 89 THEN
        RETURN ARRAY[box(point(-v_edge, v_y1), point(v_edge, v_y2))];
    END IF;
    v_x  := 6378137 * radians(search_boxes.longitude);
    v_dx := 6378137 * asin(least(1, sin(v_angle) / cos(radians(search_boxes.latitude)))) + 250;
    IF v_x - v_dx < -v_edge + 250 THEN
        RETURN ARRAY[box(point(-v_edge, v_y1), point(v_x + v_dx, v_y2)),
                     box(point(v_x - v_dx + 2 * pi() * 6378137, v_y1), point(v_edge, v_y2))];
    ELSIF v_x + v_dx > v_edge - 250 THEN
        RETURN ARRAY[box(point(v_x - v_dx, v_y1), point(v_edge, v_y2)),
                     box(point(-v_edge, v_y1), point(v_x + v_dx - 2 * pi() * 6378137, v_y2))];
    END IF;
    RETURN ARRAY[box(point(v_x - v_dx, v_y1), point(v_x + v_dx, v_y2))];
END
$$;
COMMENT ON FUNCTION _donors.search_boxes(double precision, double precision, double precision) IS
    'boxes that hold every hot_position within so many metres of a position';

-- Says what is wrong with the arguments of a search. Called only when something is.
CREATE OR REPLACE FUNCTION _donors.refuse_search(
    latitude double precision, longitude double precision, radius_km double precision, blood_group text, max_results integer)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF donors.antigens(refuse_search.blood_group) IS NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid blood group: %s', coalesce(quote_literal(refuse_search.blood_group), 'null')),
            HINT = 'Use one of O-, O+, A-, A+, B-, B+, AB-, AB+.';
    ELSIF (refuse_search.latitude BETWEEN -90 AND 90 AND refuse_search.longitude BETWEEN -180 AND 180) IS NOT TRUE THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid position: latitude %s, longitude %s', coalesce(refuse_search.latitude::text, 'null'),
                             coalesce(refuse_search.longitude::text, 'null')),
            HINT = 'Latitudes go from -90 to 90, longitudes from -180 to 180.';
    ELSIF (refuse_search.radius_km BETWEEN 0 AND 'infinity') IS NOT TRUE THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid radius_km: %s', coalesce(refuse_search.radius_km::text, 'null')),
            HINT = 'The radius is a number of kilometres, 0 or more.';
    END IF;
    RAISE invalid_parameter_value USING
        MESSAGE = format('invalid max_results: %s', refuse_search.max_results),
        HINT = 'Use 0 or more; null finds all.';
END
$$;
COMMENT ON FUNCTION _donors.refuse_search(double precision, double precision, double precision, text, integer) IS
    'raises the error for invalid arguments of donors.nearby';

-- The slow and certain way: measures everybody in the boxes. For searches that hold a pole, cross the antimeridian or want
-- everybody, and for the few that the fast way cannot answer; those give hot_reach, the Mercator metres from center beyond
-- which nobody can be near enough.
CREATE OR REPLACE FUNCTION _donors.within(
    origin geography, max_metres double precision, boxes box[], center point, hot_reach double precision,
    groups integer[], negative boolean, since timestamptz)
    RETURNS TABLE (user_id text, blood_group text, metres double precision, updated_at timestamptz)
    LANGUAGE plpgsql STABLE ROWS 200
    SET search_path = pg_catalog, pg_temp
    SET jit = off   -- the planner thinks ST_Distance dear enough to compile, 20 ms a session
    SET plan_cache_mode = force_generic_plan   -- knowing the values changes nothing but the estimates, and takes longer than a search
AS $$
BEGIN
    RETURN QUERY
    SELECT d.* FROM (
        SELECT a.user_id, a.blood_group, _donors.metres(a.position, within.origin) AS metres, a.updated_at
          FROM unnest(within.boxes) b (box)
         CROSS JOIN LATERAL (
               SELECT r.user_id, r.blood_group, r.position, r.updated_at
                 FROM donors.presence r
                WHERE NOT within.negative
                  AND r.is_available AND r.hot_position <@ b.box AND r.updated_at > within.since AND r.antigens = ANY (within.groups)
                  AND coalesce(r.hot_position <-> within.center <= within.hot_reach, true)
               UNION ALL
               SELECT r.user_id, r.blood_group, r.position, r.updated_at
                 FROM donors.presence r
                WHERE within.negative
                  AND r.is_available AND r.rh_negative AND r.hot_position <@ b.box AND r.updated_at > within.since
                  AND r.antigens = ANY (within.groups)
                  AND coalesce(r.hot_position <-> within.center <= within.hot_reach, true)
               ) a
        OFFSET 0) d   -- measures each once
     WHERE d.metres <= within.max_metres;
END
$$;
COMMENT ON FUNCTION _donors.within(geography, double precision, box[], point, double precision, integer[], boolean, timestamptz) IS
    'everybody available in the boxes within max_metres of origin, in no order';

-- One SQL statement, so that PostgreSQL inlines it: EXPLAIN shows the scans, and a prepared statement keeps one plan.
-- The caller needs SELECT on donors.presence: the positions of donors are not for everybody.
-- simple: the order of the index is usable, that is a limit, and one box far enough from the poles; depth: rows to read in
-- that order; scale: a metre on the Mercator plane is at least so many metres on the ground, anywhere in the box.
CREATE OR REPLACE FUNCTION donors.nearby(
    latitude double precision, longitude double precision, radius_km double precision, blood_group text, max_results integer DEFAULT 50)
    RETURNS TABLE (user_id text, blood_group text, distance_km double precision, updated_at timestamptz)
    LANGUAGE sql STABLE ROWS 50
BEGIN ATOMIC
    WITH search AS MATERIALIZED (
        SELECT ST_SetSRID(ST_MakePoint(nearby.longitude, nearby.latitude), 4326)::geography AS origin,
               _donors.mercator(nearby.latitude, nearby.longitude) AS center,
               box(point(c.x - c.dx, (_donors.mercator(nearby.latitude - degrees(c.angle), 0))[1] - 250),
                   point(c.x + c.dx, (_donors.mercator(nearby.latitude + degrees(c.angle), 0))[1] + 250)) AS box,
               c.metres,
               donors.compatible_antigens(nearby.blood_group) AS groups,
               donors.antigens(nearby.blood_group) < 4 AS negative,
               now() - donors.presence_ttl() AS since,
               coalesce(nearby.max_results < 10000, false)
                   AND abs(nearby.latitude) + degrees(c.angle) < 85 AND abs(c.x) + c.dx < 20037508 AS simple,
               nearby.max_results + nearby.max_results / 4 + 4 AS depth,
               0.9933 * cos(radians(least(89, abs(nearby.latitude) + degrees(c.angle)))) AS scale
          FROM (SELECT m.metres, m.angle, 6378137 * radians(nearby.longitude) AS x,
                       6378137 * asin(least(1, sin(m.angle) / cos(radians(nearby.latitude)))) + 250 AS dx
                  FROM (SELECT least(nearby.radius_km, 20100) * 1000 AS metres,
                               least(least(nearby.radius_km, 20100) * 1000 / 6335439 * 1.01, pi()) AS angle) m) c
         WHERE CASE WHEN nearby.latitude BETWEEN -90 AND 90 AND nearby.longitude BETWEEN -180 AND 180
                         AND nearby.radius_km BETWEEN 0 AND 'infinity' AND donors.antigens(nearby.blood_group) >= 0
                         AND coalesce(nearby.max_results >= 0, true)
                    THEN true
                    ELSE _donors.refuse_search(nearby.latitude, nearby.longitude, nearby.radius_km, nearby.blood_group, nearby.max_results)
               END
    ), nearest AS MATERIALIZED (
        SELECT p.user_id, p.blood_group, p.updated_at, p.hot_metres, ST_Distance(p.position, s.origin) AS metres
          FROM search s
         CROSS JOIN LATERAL (
              (SELECT r.user_id, r.blood_group, r.updated_at, r.position, r.hot_position <-> s.center AS hot_metres
                 FROM donors.presence r
                WHERE s.simple AND NOT s.negative
                  AND r.is_available AND r.hot_position <@ s.box AND r.updated_at > s.since AND r.antigens = ANY (s.groups)
                ORDER BY r.hot_position <-> s.center LIMIT s.depth)
              UNION ALL
              (SELECT r.user_id, r.blood_group, r.updated_at, r.position, r.hot_position <-> s.center
                 FROM donors.presence r
                WHERE s.simple AND s.negative
                  AND r.is_available AND r.rh_negative AND r.hot_position <@ s.box AND r.updated_at > s.since AND r.antigens = ANY (s.groups)
                ORDER BY r.hot_position <-> s.center LIMIT s.depth)
              ) p
    ), reach AS MATERIALIZED (
        -- metres: nobody farther can be in the answer; complete: nobody nearer than that is missing in nearest
        SELECT k.metres,
               s.simple AND (k.rows < s.depth OR (k.hot_metres - 250 * sqrt(0.5)) * s.scale > k.metres) AS complete
          FROM search s
         CROSS JOIN LATERAL (
               SELECT count(*) AS rows, max(n.hot_metres) AS hot_metres,
                      least(s.metres, max(n.metres) FILTER (WHERE n.row = nearby.max_results)) AS metres
                 FROM (SELECT hot_metres, metres, row_number() OVER (ORDER BY metres) AS row FROM nearest) n) k
    )
    SELECT a.user_id, a.blood_group, a.metres / 1000, a.updated_at
      FROM (SELECT n.user_id, n.blood_group, n.updated_at, n.metres
              FROM nearest n CROSS JOIN reach
             WHERE reach.complete AND n.metres <= reach.metres
            UNION ALL
            SELECT w.user_id, w.blood_group, w.updated_at, w.metres
              FROM search s CROSS JOIN reach
             CROSS JOIN LATERAL _donors.within(s.origin, reach.metres,
                        _donors.search_boxes(nearby.latitude, nearby.longitude, reach.metres),
                        CASE WHEN s.simple THEN s.center END, reach.metres / s.scale + 250 * sqrt(0.5),
                        s.groups, s.negative, s.since) w
             WHERE NOT reach.complete) a
     ORDER BY a.metres, a.user_id
     LIMIT abs(nearby.max_results);   -- below 0 is refused above, with a better message than LIMIT's own
END;
COMMENT ON FUNCTION donors.nearby(double precision, double precision, double precision, text, integer) IS
    'available donors within radius_km who can give to blood_group, nearest first, with the exact geodesic distance; max_results null finds all';
