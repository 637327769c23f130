-- care is public API: its tables, functions and the SQL that applications write. _care is private.
CREATE SCHEMA care;
CREATE SCHEMA _care;
COMMENT ON SCHEMA care IS 'pulse_care: families, medication, shifts, alerts, chat (public API)';
COMMENT ON SCHEMA _care IS 'pulse_care: private, may change with any version';
GRANT USAGE ON SCHEMA care TO PUBLIC;
REVOKE ALL ON SCHEMA _care FROM PUBLIC;
