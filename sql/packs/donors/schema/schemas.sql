-- donors is public API: its tables, functions and the SQL that applications write. _donors is private.
CREATE SCHEMA donors;
CREATE SCHEMA _donors;
COMMENT ON SCHEMA donors IS 'pulse_donors: blood emergencies, donors, hospitals (public API)';
COMMENT ON SCHEMA _donors IS 'pulse_donors: private, may change with any version';
GRANT USAGE ON SCHEMA donors TO PUBLIC;
REVOKE ALL ON SCHEMA _donors FROM PUBLIC;
