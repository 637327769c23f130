-- _pulse.tick() returns bigint
-- One dispatcher tick from SQL: gives positions to the events of transactions that ended since the last tick, at most one
-- chunk, and returns how many. For tests and for a database whose dispatcher does not run. Safe beside a dispatcher.
-- Bridges are told by the dispatcher, never by this. Refused in a transaction that has written or is not READ COMMITTED.
CREATE OR REPLACE FUNCTION _pulse.tick() RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
    SET plan_cache_mode = force_generic_plan
    AS 'MODULE_PATHNAME', 'pulse_tick';
COMMENT ON FUNCTION _pulse.tick() IS 'one dispatcher tick from SQL; returns how many events it dispatched';
REVOKE ALL ON FUNCTION _pulse.tick() FROM PUBLIC;

-- _pulse.rotate() returns text
-- One step of retention, without regard to time: empties the slot after the current one, or, when it is empty, makes it the current
-- one. Says what it did, or why nothing. The same refusals as _pulse.tick().
CREATE OR REPLACE FUNCTION _pulse.rotate() RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
    SET plan_cache_mode = force_generic_plan
    AS 'MODULE_PATHNAME', 'pulse_rotate';
COMMENT ON FUNCTION _pulse.rotate() IS 'one step of retention, without regard to time; says what it did or why nothing';
REVOKE ALL ON FUNCTION _pulse.rotate() FROM PUBLIC;

-- pulse.position() returns text
-- The cursor epoch:position of the last event dispatched, as this statement's snapshot sees it. Null before the first dispatcher
-- has run. Who reads data and this in one statement can later ask for everything after it.
CREATE OR REPLACE FUNCTION pulse.position() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (SELECT e.epoch FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1)
        || ':' || (SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1);
END;
COMMENT ON FUNCTION pulse.position() IS 'cursor epoch:position of the last event dispatched, as the current snapshot sees it';
