-- Defaults of pulse.events, for rows that come by INSERT (logical replication, a DBA); publish writes them itself.
ALTER TABLE pulse.events
    ALTER COLUMN id SET DEFAULT nextval('_pulse.event_id'),
    ALTER COLUMN xid SET DEFAULT pg_current_xact_id(),
    ALTER COLUMN slot SET DEFAULT _pulse.current_slot(),
    ALTER COLUMN at SET DEFAULT clock_timestamp(),
    ALTER COLUMN headers SET DEFAULT '{}';
