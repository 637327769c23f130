-- A dropped pack takes its registrations with it: created again, it must not find old ones.
CREATE EVENT TRIGGER pulse_forget_dropped_packs ON sql_drop
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION _pulse.forget_dropped_packs();
