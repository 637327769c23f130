-- Triggers that complete and follow rows. The events of these tables are in schema/events.sql. The scripts of pg_dump switch row_security
-- off: rows that a restore loads are complete, and no news.

CREATE TRIGGER families_insert_channel AFTER INSERT ON care.families
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _care.add_channel();
CREATE TRIGGER members_update_evict AFTER UPDATE ON care.members
    FOR EACH ROW WHEN (OLD.left_at IS NULL AND (NEW.left_at IS NOT NULL OR (NEW.family_id, NEW.user_id) IS DISTINCT FROM (OLD.family_id, OLD.user_id)))
    EXECUTE FUNCTION _care.on_left();
CREATE TRIGGER members_truncate_evict BEFORE TRUNCATE ON care.members
    FOR EACH STATEMENT EXECUTE FUNCTION _care.on_left();
CREATE TRIGGER members_delete_evict AFTER DELETE ON care.members
    FOR EACH ROW WHEN (OLD.left_at IS NULL) EXECUTE FUNCTION _care.on_left();

CREATE TRIGGER medication_logs_insert_fill BEFORE INSERT ON care.medication_logs
    FOR EACH ROW WHEN (NEW.family_id IS NULL OR NEW.care_recipient_id IS NULL OR NEW.logged_at IS NULL OR current_setting('row_security') = 'on') EXECUTE FUNCTION _care.fill_medication_log();
CREATE TRIGGER alerts_insert_fill BEFORE INSERT ON care.alerts
    FOR EACH ROW WHEN (NEW.family_id IS NULL OR NEW.created_at IS NULL OR current_setting('row_security') = 'on') EXECUTE FUNCTION _care.fill_alert();
CREATE TRIGGER messages_insert_fill BEFORE INSERT ON care.messages
    FOR EACH ROW WHEN (NEW.family_id IS NULL OR NEW.channel_id IS NULL OR NEW.created_at IS NULL OR current_setting('row_security') = 'on') EXECUTE FUNCTION _care.fill_message();
CREATE TRIGGER alerts_write_acknowledge BEFORE INSERT OR UPDATE OF acknowledged_by ON care.alerts
    FOR EACH ROW WHEN (NEW.acknowledged_by IS NOT NULL AND NEW.acknowledged_at IS NULL) EXECUTE FUNCTION _care.acknowledge();

CREATE TRIGGER alerts_insert_escalation AFTER INSERT ON care.alerts
    FOR EACH ROW WHEN (NEW.acknowledged_at IS NULL AND current_setting('row_security') = 'on') EXECUTE FUNCTION _care.on_alert();
-- After the event of the message: who sees the badge can read what it counts.
CREATE TRIGGER messages_insert_unread AFTER INSERT ON care.messages
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _care.on_message();
