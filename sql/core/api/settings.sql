-- Settings of packs and applications: times and limits that a DBA may change, effective at once, kept in the dump.

-- _pulse.setting_type(type text, minimum text, maximum text) returns text
-- What values there are, in words.
CREATE OR REPLACE FUNCTION _pulse.setting_type(type text, minimum text, maximum text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE type WHEN 'interval' THEN 'a time' WHEN 'integer' THEN 'a whole number' WHEN 'number' THEN 'a number' WHEN 'boolean' THEN 'true or false'
                ELSE 'a text' END
           || CASE WHEN minimum IS NOT NULL AND maximum IS NOT NULL THEN format(' from %s to %s', minimum, maximum)
                   WHEN minimum IS NOT NULL THEN format(' from %s on', minimum) WHEN maximum IS NOT NULL THEN format(' up to %s', maximum) ELSE '' END
$$;
COMMENT ON FUNCTION _pulse.setting_type(text, text, text) IS 'which values a setting takes, in words';
REVOKE ALL ON FUNCTION _pulse.setting_type(text, text, text) FROM PUBLIC;

-- _pulse.fits_setting(value text, type text, minimum text, maximum text) returns boolean
CREATE OR REPLACE FUNCTION _pulse.fits_setting(value text, type text, minimum text, maximum text) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE type
        WHEN 'interval' THEN value::interval BETWEEN coalesce(minimum::interval, value::interval) AND coalesce(maximum::interval, value::interval)
        WHEN 'integer' THEN value::bigint BETWEEN coalesce(minimum::bigint, value::bigint) AND coalesce(maximum::bigint, value::bigint)
        WHEN 'number' THEN value::double precision BETWEEN coalesce(minimum::double precision, -1e300) AND coalesce(maximum::double precision, 1e300)
        WHEN 'boolean' THEN value IS NULL OR value::boolean IN (true, false)
        ELSE true
    END;
EXCEPTION WHEN data_exception THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION _pulse.fits_setting(text, text, text, text) IS 'whether a text is a value of a type of settings, within its bounds';
REVOKE ALL ON FUNCTION _pulse.fits_setting(text, text, text, text) FROM PUBLIC;

-- _pulse.check_setting_value() returns trigger
-- What cannot be read is never stored, so that nothing that reads a setting fails because of its value. A restore leaves such values out.
CREATE OR REPLACE FUNCTION _pulse.check_setting_value() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_defined _pulse.setting_definitions;
BEGIN
    SELECT * INTO v_defined FROM _pulse.setting_definitions d WHERE d.pack = NEW.pack AND d.name = NEW.name;
    IF NOT FOUND OR _pulse.fits_setting(NEW.value, v_defined.type, v_defined.minimum, v_defined.maximum) THEN
        RETURN NEW;
    END IF;
    IF current_setting('row_security') = 'off' THEN
        RAISE WARNING 'setting %.% cannot be "%"; its default counts', NEW.pack, NEW.name, left(NEW.value, 100);
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'setting %.% cannot be "%"', NEW.pack, NEW.name, left(NEW.value, 100) USING ERRCODE = 'invalid_parameter_value',
        HINT = format('It is %s%s.', _pulse.setting_type(v_defined.type, v_defined.minimum, v_defined.maximum), ', such as ' || v_defined.default_value || ', its default');
END
$$;
COMMENT ON FUNCTION _pulse.check_setting_value() IS 'trigger: a setting has a value of its type only';
REVOKE ALL ON FUNCTION _pulse.check_setting_value() FROM PUBLIC;

-- pulse.define_setting(pack text, name text, default text, description text, type text default 'text', minimum text, maximum text)
-- Makes a setting exist. Called by a pack's script; defining it again changes all of that, never a value, but for one that is none any more.
CREATE OR REPLACE FUNCTION pulse.define_setting(pack text, name text, "default" text, description text, type text DEFAULT 'text',
    minimum text DEFAULT NULL, maximum text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_extension text := _pulse.running_extension();
    v_owner text;
    v_value text;
BEGIN
    IF pack IS NULL OR pack = '' OR name IS NULL OR name = '' OR description IS NULL THEN
        RAISE EXCEPTION 'a setting has a pack, a name and a description' USING ERRCODE = 'null_value_not_allowed';
    ELSIF type IS NULL OR type NOT IN ('text', 'interval', 'integer', 'number', 'boolean') THEN
        RAISE EXCEPTION 'no setting is of type "%"', type USING ERRCODE = 'invalid_parameter_value', HINT = 'Types: text, interval, integer, number, boolean.';
    ELSIF (minimum IS NOT NULL OR maximum IS NOT NULL) AND type NOT IN ('interval', 'integer', 'number') THEN
        RAISE EXCEPTION 'a setting of type % has no bounds', type USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOREACH v_value IN ARRAY ARRAY[minimum, maximum, "default"] LOOP
        IF NOT _pulse.fits_setting(v_value, type, minimum, maximum) THEN
            RAISE EXCEPTION 'setting %.%: "%" is not %', pack, name, v_value, _pulse.setting_type(type, minimum, maximum) USING ERRCODE = 'invalid_parameter_value';
        END IF;
    END LOOP;
    SELECT d.extension INTO v_owner FROM _pulse.setting_definitions d WHERE d.pack = define_setting.pack AND d.name = define_setting.name;
    IF FOUND AND v_owner IS DISTINCT FROM v_extension THEN
        RAISE EXCEPTION 'setting %.% is already defined by %', pack, name, coalesce('extension ' || v_owner, 'the application')
            USING ERRCODE = 'duplicate_object', HINT = 'Use pulse.configure to give it a value.';
    END IF;
    INSERT INTO _pulse.setting_definitions AS d (pack, name, default_value, description, extension, type, minimum, maximum)
        VALUES (define_setting.pack, define_setting.name, define_setting."default", define_setting.description, v_extension,
                define_setting.type, define_setting.minimum, define_setting.maximum)
        ON CONFLICT ON CONSTRAINT setting_definitions_pkey
        DO UPDATE SET default_value = excluded.default_value, description = excluded.description, type = excluded.type,
                      minimum = excluded.minimum, maximum = excluded.maximum;
    DELETE FROM _pulse.settings s
     WHERE s.pack = define_setting.pack AND s.name = define_setting.name
       AND NOT _pulse.fits_setting(s.value, define_setting.type, define_setting.minimum, define_setting.maximum)
    RETURNING s.value INTO v_value;
    IF FOUND THEN
        RAISE WARNING 'setting %.% was "%", which is not %; its default counts', pack, name, left(v_value, 100), _pulse.setting_type(type, minimum, maximum);
    END IF;
END
$$;
COMMENT ON FUNCTION pulse.define_setting(text, text, text, text, text, text, text) IS 'makes a setting of a pack exist, with its default and which values it takes';
REVOKE ALL ON FUNCTION pulse.define_setting(text, text, text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.define_setting(text, text, text, text, text, text, text) TO pulse_admin;

-- pulse.configure(pack text, name text, value text)
-- Gives a setting a value; null goes back to the default. Raises for what is no value of it, whatever the session's row_security says: only
-- rows that a restore brings are left out by the trigger.
CREATE OR REPLACE FUNCTION pulse.configure(pack text, name text, value text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM _pulse.check_setting(configure.pack, configure.name);
    IF value IS NULL THEN
        DELETE FROM _pulse.settings s WHERE s.pack = configure.pack AND s.name = configure.name;
    ELSE
        INSERT INTO _pulse.settings (pack, name, value) VALUES (configure.pack, configure.name, configure.value)
            ON CONFLICT ON CONSTRAINT settings_pkey DO UPDATE SET value = excluded.value;
    END IF;
END
$$;
COMMENT ON FUNCTION pulse.configure(text, text, text) IS 'gives a setting a value, effective at once; null goes back to the default';
REVOKE ALL ON FUNCTION pulse.configure(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.configure(text, text, text) TO pulse_admin;

-- pulse.setting(pack text, name text) returns text
-- The value in force. Raises for a setting that nobody defined.
CREATE OR REPLACE FUNCTION pulse.setting(pack text, name text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value text;
BEGIN
    SELECT coalesce(s.value, d.default_value) INTO v_value
        FROM _pulse.setting_definitions d
        LEFT JOIN _pulse.settings s ON s.pack = d.pack AND s.name = d.name
        WHERE d.pack = setting.pack AND d.name = setting.name;
    IF NOT FOUND THEN
        PERFORM _pulse.check_setting(setting.pack, setting.name);
    END IF;
    RETURN v_value;
END
$$;
COMMENT ON FUNCTION pulse.setting(text, text) IS 'the value of a setting that is in force';
GRANT EXECUTE ON FUNCTION pulse.setting(text, text) TO PUBLIC;

-- _pulse.check_setting(pack text, name text)
-- Raises with the known names when there is no such setting.
CREATE OR REPLACE FUNCTION _pulse.check_setting(pack text, name text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known text;
BEGIN
    IF EXISTS (SELECT FROM _pulse.setting_definitions d WHERE d.pack = check_setting.pack AND d.name = check_setting.name) THEN
        RETURN;
    END IF;
    SELECT string_agg(d.name, ', ' ORDER BY d.name) INTO v_known FROM _pulse.setting_definitions d WHERE d.pack = check_setting.pack;
    IF v_known IS NOT NULL THEN
        RAISE EXCEPTION 'pack "%" has no setting "%"', pack, name USING ERRCODE = 'undefined_object', HINT = 'It has: ' || v_known || '.';
    END IF;
    SELECT string_agg(DISTINCT d.pack, ', ' ORDER BY d.pack) INTO v_known FROM _pulse.setting_definitions d;
    RAISE EXCEPTION 'no pack "%" has settings', pack USING ERRCODE = 'undefined_object', HINT = 'Packs with settings: ' || v_known || '.';
END
$$;
COMMENT ON FUNCTION _pulse.check_setting(text, text) IS 'raises when a setting does not exist';
REVOKE ALL ON FUNCTION _pulse.check_setting(text, text) FROM PUBLIC;
