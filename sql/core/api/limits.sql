-- Rate limits: classes of so many points in a time, events that take one, and taking by hand. The counts are in shared memory, exact over
-- all bridges and backends. docs/reference/limits.md.

-- pulse.limit(class text, points integer, per interval)
-- Makes a class, or changes it, at once for windows that have begun too. Each subject may take so many points in a window, which begins
-- with its first take.
CREATE OR REPLACE FUNCTION pulse."limit"(class text, points integer, per interval) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_limit';
COMMENT ON FUNCTION pulse."limit"(text, integer, interval) IS 'makes a class of rate limits: so many points in a time';
REVOKE ALL ON FUNCTION pulse."limit"(text, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse."limit"(text, integer, interval) TO pulse_admin;

-- pulse.drop_limit(class text) returns boolean
-- Refused while events are bound to a class that would be gone.
CREATE OR REPLACE FUNCTION pulse.drop_limit(class text) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_limit';
COMMENT ON FUNCTION pulse.drop_limit(text) IS 'takes a class of rate limits away; whether there was one';
REVOKE ALL ON FUNCTION pulse.drop_limit(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_limit(text) TO pulse_admin;

-- pulse.limit_event(event text, class text, namespace text default '/')
-- Lets an event of clients take a point before its handler runs; '*' every event of the namespace that has no class of its own.
CREATE OR REPLACE FUNCTION pulse.limit_event(event text, class text, namespace text DEFAULT '/') RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_limit_event';
COMMENT ON FUNCTION pulse.limit_event(text, text, text) IS 'limits an event of clients by a class';
REVOKE ALL ON FUNCTION pulse.limit_event(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.limit_event(text, text, text) TO pulse_admin;

-- pulse.drop_limit_event(event text, namespace text default '/') returns boolean
CREATE OR REPLACE FUNCTION pulse.drop_limit_event(event text, namespace text DEFAULT '/') RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_drop_limit_event';
COMMENT ON FUNCTION pulse.drop_limit_event(text, text) IS 'limits an event no more; whether it was limited';
REVOKE ALL ON FUNCTION pulse.drop_limit_event(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.drop_limit_event(text, text) TO pulse_admin;

-- pulse.take(class text, subject text default null, points integer default 1) returns boolean
-- Takes points of whoever asks (user, else session, else address), or of the subject given. False: there are not enough, and none was
-- taken. Not undone by a rollback.
CREATE OR REPLACE FUNCTION pulse.take(class text, subject text DEFAULT NULL, points integer DEFAULT 1) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_take';
COMMENT ON FUNCTION pulse.take(text, text, integer) IS 'takes points of a rate limit; whether there were enough';
GRANT EXECUTE ON FUNCTION pulse.take(text, text, integer) TO PUBLIC;

-- _pulse.limits_changed() returns trigger
CREATE OR REPLACE FUNCTION _pulse.limits_changed() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'pulse_limits_changed';
COMMENT ON FUNCTION _pulse.limits_changed() IS 'trigger: tells every backend that limits have changed';
REVOKE ALL ON FUNCTION _pulse.limits_changed() FROM PUBLIC;
