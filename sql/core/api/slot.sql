-- _pulse.current_slot() returns smallint
-- The partition that new rows go to: 0, 1 or 2. Read from shared memory; 0 when pulse is not preloaded.
CREATE OR REPLACE FUNCTION _pulse.current_slot() RETURNS smallint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_current_slot';
COMMENT ON FUNCTION _pulse.current_slot() IS 'partition that new rows go to';
REVOKE ALL ON FUNCTION _pulse.current_slot() FROM PUBLIC;
