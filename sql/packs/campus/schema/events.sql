-- Which change of which row is which event; docs/reference/campus.md is the same table. One UPDATE is one event: resolved before
-- assigned before updated. on_error warn: an issue is worth more than its event. What a restore loads is no news.

SELECT pulse.watch('campus.issues', 'issue:created',
    ARRAY['org:{organization_id}', 'campus:{campus_id}', 'building:{building_id}'],
    operations => 'insert', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"issueId":"{id}","organizationId":"{organization_id}","campusId":"{campus_id}","buildingId":"{building_id}","title":"{title}",
                 "status":"{status}","severity":"{severity}","assignedTo?":"{assigned_to}","resolvedAt?":"{resolved_at}","updatedAt":"{updated_at}"}',
    partition_key => '{id}', on_error => 'warn');

-- Where an issue was before hears of it too, or it would stay there on everybody's screen.
SELECT pulse.watch('campus.issues', 'issue:resolved',
    ARRAY['org:{organization_id}', 'campus:{campus_id}', 'building:{building_id}', 'campus:{old.campus_id}', 'building:{old.building_id}'],
    operations => 'update',
    condition => 'NEW.status = ''resolved'' AND OLD.status <> ''resolved''',
    payload => '{"issueId":"{id}","organizationId":"{organization_id}","campusId":"{campus_id}","buildingId":"{building_id}","title":"{title}",
                 "status":"{status}","severity":"{severity}","assignedTo?":"{assigned_to}","resolvedAt?":"{resolved_at}","updatedAt":"{updated_at}"}',
    partition_key => '{id}', on_error => 'warn');

SELECT pulse.watch('campus.issues', 'issue:assigned',
    ARRAY['org:{organization_id}', 'campus:{campus_id}', 'building:{building_id}', 'campus:{old.campus_id}', 'building:{old.building_id}'],
    operations => 'update',
    condition => 'NOT (NEW.status = ''resolved'' AND OLD.status <> ''resolved'')
                  AND NEW.assigned_to IS NOT NULL AND NEW.assigned_to IS DISTINCT FROM OLD.assigned_to',
    payload => '{"issueId":"{id}","organizationId":"{organization_id}","campusId":"{campus_id}","buildingId":"{building_id}","title":"{title}",
                 "status":"{status}","severity":"{severity}","assignedTo?":"{assigned_to}","resolvedAt?":"{resolved_at}","updatedAt":"{updated_at}"}',
    partition_key => '{id}', on_error => 'warn');

SELECT pulse.watch('campus.issues', 'issue:updated',
    ARRAY['org:{organization_id}', 'campus:{campus_id}', 'building:{building_id}', 'campus:{old.campus_id}', 'building:{old.building_id}'],
    operations => 'update',
    columns => ARRAY['organization_id', 'campus_id', 'building_id', 'title', 'description', 'category', 'severity', 'status', 'reported_by',
                     'assigned_to', 'latitude', 'longitude'],
    condition => 'NOT (NEW.status = ''resolved'' AND OLD.status <> ''resolved'')
                  AND NOT (NEW.assigned_to IS NOT NULL AND NEW.assigned_to IS DISTINCT FROM OLD.assigned_to)',
    payload => '{"issueId":"{id}","organizationId":"{organization_id}","campusId":"{campus_id}","buildingId":"{building_id}","title":"{title}",
                 "status":"{status}","severity":"{severity}","assignedTo?":"{assigned_to}","resolvedAt?":"{resolved_at}","updatedAt":"{updated_at}"}',
    partition_key => '{id}', on_error => 'warn');

SELECT pulse.watch('campus.issues', 'issue:deleted',
    ARRAY['org:{organization_id}', 'campus:{campus_id}', 'building:{building_id}'],
    operations => 'delete',
    payload => '{"issueId":"{id}","organizationId":"{organization_id}","campusId":"{campus_id}","buildingId":"{building_id}"}',
    partition_key => '{id}', on_error => 'warn');

SELECT pulse.watch('campus.maintenance_alerts', 'maintenance:alert',
    ARRAY['building:{building_id}', 'campus:{campus_id}', 'org:{organization_id}'],
    operations => 'insert', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"alertId":"{id}","buildingId":"{building_id}","title":"{title}","message":"{message}","startsAt":"{starts_at}","endsAt?":"{ends_at}"}',
    partition_key => '{building_id}', on_error => 'warn');
