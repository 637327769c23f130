-- Which change of which row is which event, all to family:{id}; docs/reference/care.md is the same table. Inserts are watched while
-- row_security is on: the scripts of pg_dump switch it off, and rows that a restore loads are no news.

SELECT pulse.watch('care.medication_logs', 'medication:logged', ARRAY['family:{family_id}'],
    condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"medicationId":"{medication_id}","careRecipientId":"{care_recipient_id}","loggedBy":"{logged_by}","timestamp":"{logged_at}",
                 "logId":"{id}","scheduledFor":"{scheduled_for}"}',
    partition_key => '{family_id}');

SELECT pulse.watch('care.alerts', 'emergency:alert', ARRAY['family:{family_id}'],
    condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"alertId":"{id}","careRecipientId":"{care_recipient_id}","type":"{type}","severity":"{severity}","createdAt":"{created_at}"}',
    partition_key => '{family_id}');
SELECT pulse.watch('care.alerts', 'emergency:alert:acknowledged', ARRAY['family:{family_id}'],
    operations => 'update', columns => ARRAY['acknowledged_at'], condition => 'NEW.acknowledged_at IS NOT NULL',
    payload => '{"alertId":"{id}","acknowledgedBy?":"{acknowledged_by}","at":"{acknowledged_at}"}', partition_key => '{family_id}');
SELECT pulse.watch('care.alerts', 'emergency:alert:escalated', ARRAY['family:{family_id}'],
    operations => 'update', columns => ARRAY['escalated_at'], condition => 'NEW.escalated_at IS NOT NULL',
    payload => '{"alertId":"{id}","acknowledgedBy?":"{acknowledged_by}","at":"{escalated_at}"}', partition_key => '{family_id}');

-- Whether a shift begins by an UPDATE or was written down when it had begun.
SELECT pulse.watch('care.shifts', 'shift:started', ARRAY['family:{family_id}'],
    operations => 'insert, update', columns => ARRAY['started_at'],
    condition => 'NEW.started_at IS NOT NULL AND current_setting(''row_security'') = ''on''',
    payload => '{"shiftId":"{id}","caregiverId":"{caregiver_id}","startTime":"{started_at}"}', partition_key => '{family_id}');
SELECT pulse.watch('care.shifts', 'shift:ended', ARRAY['family:{family_id}'],
    operations => 'insert, update', columns => ARRAY['ended_at'],
    condition => 'NEW.ended_at IS NOT NULL AND current_setting(''row_security'') = ''on''',
    payload => '{"shiftId":"{id}","caregiverId":"{caregiver_id}","endTime":"{ended_at}"}', partition_key => '{family_id}');

SELECT pulse.watch('care.messages', 'message', ARRAY['family:{family_id}'],
    condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"from":"{user_id}","message":"{message}","familyId":"{family_id}","channelId":"{channel_id}","messageId":"{id}",
                 "createdAt":"{created_at}"}',
    partition_key => '{family_id}', name => 'messages_insert_message');
