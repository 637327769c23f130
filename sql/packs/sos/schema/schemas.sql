-- sos is public API: its tables, views, functions and the SQL that applications write. _sos is private.
CREATE SCHEMA sos;
CREATE SCHEMA _sos;
COMMENT ON SCHEMA sos IS 'pulse_sos: SOS cases, positions, messages (public API)';
COMMENT ON SCHEMA _sos IS 'pulse_sos: private, may change with any version';
GRANT USAGE ON SCHEMA sos TO PUBLIC;
REVOKE ALL ON SCHEMA _sos FROM PUBLIC;
