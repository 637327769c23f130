-- moves is public API: its tables, functions and the SQL that applications write. _moves is private.
CREATE SCHEMA moves;
CREATE SCHEMA _moves;
COMMENT ON SCHEMA moves IS 'pulse_moves: moving orders, porters, job offers, chat (public API)';
COMMENT ON SCHEMA _moves IS 'pulse_moves: private, may change with any version';
GRANT USAGE ON SCHEMA moves TO PUBLIC;
REVOKE ALL ON SCHEMA _moves FROM PUBLIC;
