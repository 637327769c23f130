-- What the rows of a case do by themselves; the events are in schema/events.sql. The scripts of pg_dump switch row_security off: rows that
-- a restore loads are complete, and no news.

-- Who names himself by updated_by has changed the row now; who does not is looked up by the next one.
CREATE TRIGGER cases_update_named BEFORE UPDATE OF updated_by ON sos.cases
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _sos.touch();
CREATE TRIGGER cases_update_status BEFORE UPDATE ON sos.cases
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION _sos.change_status();
CREATE TRIGGER cases_insert_named BEFORE INSERT ON sos.cases
    FOR EACH ROW WHEN ((NEW.updated_by IS NULL OR NEW.updated_role IS NULL) AND current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.name_change();
CREATE TRIGGER cases_insert_citizen AFTER INSERT ON sos.cases
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.add_citizen();
-- After cases_write_broadcast of schema/events.sql: the room hears that the case is closed, then it is emptied.
CREATE TRIGGER cases_write_close AFTER UPDATE OF status ON sos.cases
    FOR EACH ROW WHEN (NEW.status = 'closed' AND OLD.status <> 'closed') EXECUTE FUNCTION _sos.on_closed();
CREATE TRIGGER cases_delete_close AFTER DELETE ON sos.cases
    FOR EACH ROW WHEN (OLD.emptied_at IS NULL) EXECUTE FUNCTION _sos.on_closed();
CREATE TRIGGER cases_truncate_close BEFORE TRUNCATE ON sos.cases
    FOR EACH STATEMENT EXECUTE FUNCTION _sos.on_closed();
CREATE TRIGGER cases_update_moved AFTER UPDATE OF id ON sos.cases
    FOR EACH ROW WHEN (NEW.id <> OLD.id AND OLD.emptied_at IS NULL) EXECUTE FUNCTION _sos.on_closed();
CREATE TRIGGER cases_update_citizen AFTER UPDATE OF citizen_id ON sos.cases
    FOR EACH ROW WHEN (NEW.citizen_id <> OLD.citizen_id) EXECUTE FUNCTION _sos.on_citizen_changed();
CREATE TRIGGER participants_delete_dismissed AFTER DELETE ON sos.participants
    FOR EACH ROW WHEN (OLD.admitted) EXECUTE FUNCTION _sos.on_dismissed();
CREATE TRIGGER participants_truncate_dismissed BEFORE TRUNCATE ON sos.participants
    FOR EACH STATEMENT EXECUTE FUNCTION _sos.on_dismissed();
CREATE TRIGGER participants_update_dismissed AFTER UPDATE OF admitted, user_id ON sos.participants
    FOR EACH ROW WHEN (OLD.admitted AND (NOT NEW.admitted OR NEW.user_id <> OLD.user_id)) EXECUTE FUNCTION _sos.on_dismissed();
CREATE TRIGGER cases_insert_expiry AFTER INSERT ON sos.cases
    FOR EACH ROW WHEN (NEW.emptied_at IS NULL AND current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.on_live();
CREATE TRIGGER cases_update_expiry AFTER UPDATE ON sos.cases
    FOR EACH ROW WHEN (NEW.emptied_at IS NULL AND (OLD.emptied_at IS NOT NULL OR NEW.id <> OLD.id)) EXECUTE FUNCTION _sos.on_live();

-- The SOS service (api/service.sql): asked first, then told.
CREATE TRIGGER cases_insert_opened AFTER INSERT ON sos.cases
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.on_opened();
CREATE TRIGGER cases_insert_tell AFTER INSERT ON sos.cases
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.tell_status();
CREATE TRIGGER cases_update_tell AFTER UPDATE OF status ON sos.cases
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION _sos.tell_status();
CREATE TRIGGER messages_insert_tell AFTER INSERT ON sos.messages
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.tell_message();
CREATE TRIGGER positions_insert_tell AFTER INSERT ON sos.positions
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.tell_position();

CREATE TRIGGER messages_insert_role BEFORE INSERT ON sos.messages
    FOR EACH ROW WHEN (NEW.role IS NULL AND current_setting('row_security') = 'on') EXECUTE FUNCTION _sos.fill_role();
