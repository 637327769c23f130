-- Which change of which row is which event, in which rooms, with which payload; docs/reference/donors.md is the same table.
-- No event carries the requester's id or anybody's name, phone or position. Inserts are watched while row_security is on: the
-- scripts of pg_dump switch it off, and rows that a restore loads are no news.

SELECT pulse.watch('donors.blood_requests', 'emergency:created',
    ARRAY['region:{country_code}', 'emergency:{id}', 'donors:available'],
    operations => 'insert', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"emergencyId":"{id}","bloodGroup":"{blood_group}","urgency":"{urgency}","units":"{units}",
                 "hospitalId?":"{hospital_id}","hospitalName?":"{hospital_name}",
                 "latitude":"{latitude}","longitude":"{longitude}","countryCode":"{country_code}",
                 "status":"{status}","createdAt":"{created_at}"}',
    channel => 'emergency_created', partition_key => '{id}');

SELECT pulse.watch('donors.blood_requests', 'emergency:status-updated',
    ARRAY['emergency:{id}', 'emergency:{id}:requester'],
    operations => 'update', columns => ARRAY['status'],
    payload => '{"emergencyId":"{id}","status":"{status}","previousStatus":"{old.status}","updatedAt":"{updated_at}"}',
    channel => 'emergency_status_update', partition_key => '{id}');

-- An answer that is corrected (withdrawn, arrived …) is told as well: same event, same responseId.
SELECT pulse.watch('donors.blood_request_responses', 'emergency:response',
    ARRAY['emergency:{request_id}', 'emergency:{request_id}:requester'],
    operations => 'insert, update', columns => ARRAY['status'], condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"emergencyId":"{request_id}","responseId":"{id}","donorId":"{donor_id}","status":"{status}",
                 "etaMinutes?":"{eta_minutes}","distanceKm?":"{distance_km}","createdAt":"{created_at}"}',
    channel => 'emergency_response', partition_key => '{request_id}');

SELECT pulse.watch('donors.hospitals', 'hospital:status-updated',
    ARRAY['region:{country_code}'],
    operations => 'update', columns => ARRAY['emergency', 'is_active'],
    payload => '{"hospitalId":"{id}","name":"{name}","emergency":"{emergency}","isActive":"{is_active}",
                 "countryCode":"{country_code}","updatedAt":"{updated_at}"}',
    channel => 'hospital_status_update', partition_key => '{id}');

SELECT pulse.watch('donors.blood_inventory', 'blood_inventory:updated',
    ARRAY['region:{country_code}', 'hospital:{hospital_id}'],
    operations => 'insert, update', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"hospitalId":"{hospital_id}","bloodGroup":"{blood_group}","units":"{units}","updatedAt":"{updated_at}"}',
    channel => 'blood_inventory_update', partition_key => '{hospital_id}');
