-- pulse.publish_trigger()
-- What the triggers of pulse.watch run. Its arguments are the watch: \d shows them, pg_dump carries them.
CREATE OR REPLACE FUNCTION pulse.publish_trigger() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_trigger';
COMMENT ON FUNCTION pulse.publish_trigger() IS 'publishes an event for each row; created by pulse.watch';

-- pulse.watch(relation, event, rooms, …) returns text
-- Publishes an event for each changed row of a table, in the transaction that changes it. Returns the name of the trigger it made.
--   rooms          templates such as 'order:{id}', 'user:{old.owner_id}'; a null value skips that room
--   operations     insert, update, delete, joined by commas or "or"
--   columns        an update publishes only when one of these changed
--   condition      SQL over NEW and OLD, like a trigger's WHEN
--   payload        JSON object template; default: the whole row with camelCase keys
--   channel        a legacy NOTIFY channel that gets the payload as well
--   partition_key  template
--   on_error       abort: a failure fails the statement; warn: the statement lives, the event is lost and counted
--   name           of the trigger; default: table, operations and event
CREATE OR REPLACE FUNCTION pulse.watch(relation regclass, event text, rooms text[], operations text DEFAULT 'insert', columns text[] DEFAULT NULL,
    condition text DEFAULT NULL, payload json DEFAULT NULL, channel text DEFAULT NULL, partition_key text DEFAULT NULL,
    on_error text DEFAULT 'abort', name text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_watch';
COMMENT ON FUNCTION pulse.watch(regclass, text, text[], text, text[], text, json, text, text, text, text)
    IS 'publishes an event for each changed row of a table; returns the trigger''s name';

-- pulse.unwatch(relation, name) returns integer
-- Drops the watches of a table: the one with this trigger name, those with this event name, or all when name is null. Returns how many.
CREATE OR REPLACE FUNCTION pulse.unwatch(relation regclass, name text DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_trigger name;
    v_event   bytea := convert_to('event=' || unwatch.name, 'UTF8') || '\x00';
    v_count   integer := 0;
BEGIN
    FOR v_trigger IN
        SELECT t.tgname FROM pg_trigger t
        WHERE t.tgrelid = unwatch.relation AND t.tgfoid = 'pulse.publish_trigger()'::regprocedure
          AND CASE WHEN unwatch.name IS NULL THEN t.tgparentid = 0
                   ELSE t.tgname = unwatch.name OR substring(t.tgargs FROM 1 FOR length(v_event)) = v_event END
        ORDER BY t.tgname
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', v_trigger, unwatch.relation);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION pulse.unwatch(regclass, text) IS 'drops watches of a table by trigger or event name, or all of them; returns how many';

REVOKE ALL ON FUNCTION pulse.publish_trigger(), pulse.unwatch(regclass, text),
    pulse.watch(regclass, text, text[], text, text[], text, json, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.publish_trigger(), pulse.unwatch(regclass, text),
    pulse.watch(regclass, text, text[], text, text[], text, json, text, text, text, text) TO pulse_publisher, pulse_admin;
