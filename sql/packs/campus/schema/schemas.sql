-- campus is public API: its tables, functions and the SQL that applications write. _campus is private.
CREATE SCHEMA campus;
CREATE SCHEMA _campus;
COMMENT ON SCHEMA campus IS 'pulse_campus: organizations, campuses, buildings, issues (public API)';
COMMENT ON SCHEMA _campus IS 'pulse_campus: private, may change with any version';
GRANT USAGE ON SCHEMA campus TO PUBLIC;
REVOKE ALL ON SCHEMA _campus FROM PUBLIC;
