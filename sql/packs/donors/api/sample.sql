-- Sample data around Mumbai for `make run`, the tutorial and experiments. Nothing in production calls it.

CREATE OR REPLACE FUNCTION donors.load_sample() RETURNS json
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_hospitals integer;
    v_donors    integer;
BEGIN
    INSERT INTO donors.hospitals (id, name, country_code, latitude, longitude, emergency)
    VALUES ('5a3e0000-0000-4000-8000-000000000001', 'Sample Hospital Parel', 'IN', 19.0030, 72.8420, true),
           ('5a3e0000-0000-4000-8000-000000000002', 'Sample Hospital Bandra', 'IN', 19.0510, 72.8290, false),
           ('5a3e0000-0000-4000-8000-000000000003', 'Sample Hospital Andheri', 'IN', 19.1310, 72.8260, true)
        ON CONFLICT (id) DO NOTHING;
    INSERT INTO donors.blood_inventory (hospital_id, blood_group, units)
    SELECT h.id, g.blood_group, 2 + 3 * g.n::integer
      FROM donors.hospitals h
     CROSS JOIN unnest(ARRAY['AB-', 'O-', 'A-', 'B-', 'AB+', 'A+', 'B+', 'O+']) WITH ORDINALITY g (blood_group, n)
     WHERE h.id::text LIKE '5a3e0000-0000-4000-8000-%'
        ON CONFLICT (hospital_id, blood_group) DO NOTHING;
    SELECT count(*) INTO v_hospitals FROM donors.hospitals h WHERE h.id::text LIKE '5a3e0000-0000-4000-8000-%';

    -- 120 donors on a spiral around 19.0760, 72.8777, up to 20 km away, groups about as frequent as in India; and three to
    -- play with: asha (O-, 3 km away, can give to all), bilal (AB+, 3 km, can give only to AB+), chitra (O-, in Pune).
    -- Their phone numbers begin with +999, which no country has.
    WITH sample (user_id, name, blood_group, latitude, longitude) AS (
        SELECT 'sample-' || n, 'Sample Donor ' || n,
               (ARRAY['O+', 'B+', 'A+', 'O+', 'B+', 'O+', 'AB+', 'A+', 'B+', 'O+', 'O-', 'A+',
                      'O+', 'B+', 'A+', 'O+', 'B+', 'O+', 'AB-', 'A-', 'B+', 'O+', 'B-', 'A+'])[1 + n % 24],
               19.0760 + sqrt(n / 120.0) * 20 / 111.2 * sin(n * 2.399963),
               72.8777 + sqrt(n / 120.0) * 20 / 105.1 * cos(n * 2.399963)
          FROM generate_series(1, 120) n
        UNION ALL
        VALUES ('asha', 'Asha', 'O-', 19.0550, 72.8600),
               ('bilal', 'Bilal', 'AB+', 19.0990, 72.8900),
               ('chitra', 'Chitra', 'O-', 18.5204, 73.8567)
    ), registered AS (
        INSERT INTO donors.donors (user_id, name, phone, blood_group, country_code)
        SELECT s.user_id, s.name, '+9990000' || lpad((row_number() OVER ())::text, 4, '0'), s.blood_group, 'IN' FROM sample s
            ON CONFLICT (user_id) DO NOTHING
    )
    INSERT INTO donors.presence (user_id, is_available, latitude, longitude, country_code, blood_group)
    SELECT s.user_id, true, s.latitude, s.longitude, 'IN', s.blood_group FROM sample s
        ON CONFLICT (user_id) DO UPDATE
       SET is_available = true, latitude = excluded.latitude, longitude = excluded.longitude, updated_at = now();
    GET DIAGNOSTICS v_donors = ROW_COUNT;
    RETURN json_build_object('hospitals', v_hospitals, 'donors', v_donors);
END
$$;
COMMENT ON FUNCTION donors.load_sample() IS
    'sample hospitals, stock and available donors around Mumbai; again: the same rows, all available from now on';
REVOKE EXECUTE ON FUNCTION donors.load_sample() FROM PUBLIC;
