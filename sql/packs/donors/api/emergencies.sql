-- A blood request as clients read it: in acks, in emergency:nearby and, field by field the same, in emergency:created.

CREATE OR REPLACE FUNCTION donors.emergency_json(request donors.blood_requests, distance_km double precision DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_strip_nulls(json_build_object(
               'emergencyId', (emergency_json.request).id,
               'bloodGroup', (emergency_json.request).blood_group,
               'urgency', (emergency_json.request).urgency,
               'units', (emergency_json.request).units,
               'hospitalId', (emergency_json.request).hospital_id,
               'hospitalName', (emergency_json.request).hospital_name,
               'latitude', (emergency_json.request).latitude,
               'longitude', (emergency_json.request).longitude,
               'countryCode', (emergency_json.request).country_code,
               'status', (emergency_json.request).status,
               'createdAt', pulse.iso8601((emergency_json.request).created_at),
               'distanceKm', round(emergency_json.distance_km::numeric, 3)));
END;
COMMENT ON FUNCTION donors.emergency_json(donors.blood_requests, double precision) IS
    'a blood request as clients read it, without the requester; distanceKm when a distance is given';
