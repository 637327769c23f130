-- A dropped pack takes its registrations with it: created again, it must not find old ones.
CREATE EVENT TRIGGER pulse_forget_dropped_packs ON sql_drop
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION _pulse.forget_dropped_packs();

-- Every backend keeps a copy of the limits.
CREATE TRIGGER limits_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON _pulse.limits
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.limits_changed();
CREATE TRIGGER limit_events_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON _pulse.limit_events
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.limits_changed();

-- Every backend keeps a copy of the handlers that it has run.
CREATE TRIGGER handlers_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON _pulse.handlers
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.handlers_changed();

-- Every backend keeps a copy of what is configured for queues and kinds.
CREATE TRIGGER queues_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON _pulse.queues
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.queue_settings_changed();
CREATE TRIGGER queue_states_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON _pulse.queue_states
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.queue_settings_changed();
CREATE TRIGGER job_kinds_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON _pulse.job_kinds
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.queue_settings_changed();
-- A restore into a database that is served already is noticed.
CREATE TRIGGER queue_origin_changed AFTER INSERT ON _pulse.queue_origin
    FOR EACH STATEMENT EXECUTE FUNCTION _pulse.queue_settings_changed();

-- Values are checked when they are written: configured, or loaded by a restore.
CREATE TRIGGER settings_write_check BEFORE INSERT OR UPDATE ON _pulse.settings
    FOR EACH ROW EXECUTE FUNCTION _pulse.check_setting_value();
