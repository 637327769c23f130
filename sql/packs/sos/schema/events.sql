-- Which change of which row is which event; docs/reference/sos.md is the same table. Inserts are watched while row_security is on: the
-- scripts of pg_dump switch it off, and rows that a restore loads are no news.

SELECT pulse.watch('sos.cases', 'sos:status:broadcast', ARRAY['sos:{id}'],
    operations => 'insert, update', columns => ARRAY['status'], condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"sosId":"{id}","status":"{status}","previousStatus":"{old.status}","updatedBy":"{updated_by}","role":"{updated_role}",
                 "note?":"{note}","updatedAt":"{updated_at}"}',
    partition_key => '{id}', name => 'cases_write_broadcast');

SELECT pulse.watch('sos.messages', 'message:broadcast', ARRAY['sos:{case_id}'],
    condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"sosId":"{case_id}","messageId":"{id}","from":"{user_id}","role":"{role}","message":"{message}","createdAt":"{created_at}"}',
    partition_key => '{case_id}');

SELECT pulse.watch('sos.cases', 'sos:verified', ARRAY['sos:{id}'],
    operations => 'update', columns => ARRAY['verified_at'],
    payload => '{"sosId":"{id}","verified":"{verified}","details?":"{details}","verifiedAt":"{verified_at}"}',
    partition_key => '{id}', name => 'cases_update_verified');
