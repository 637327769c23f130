-- pulse is public API, _pulse is private.
CREATE SCHEMA pulse;
CREATE SCHEMA _pulse;
COMMENT ON SCHEMA pulse IS 'pulse: publish, rooms, policies, handlers, jobs (public API)';
COMMENT ON SCHEMA _pulse IS 'pulse: private, may change with any version';
GRANT USAGE ON SCHEMA pulse TO PUBLIC;
REVOKE ALL ON SCHEMA _pulse FROM PUBLIC;
