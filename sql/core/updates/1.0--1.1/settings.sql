-- From 1.0 to 1.1, before the parts of api/ run again: settings get types and bounds.

DROP FUNCTION pulse.define_setting(text, text, text, text);
ALTER TABLE _pulse.setting_definitions ADD COLUMN type text, ADD COLUMN minimum text, ADD COLUMN maximum text;
UPDATE _pulse.setting_definitions SET type = 'text';
ALTER TABLE _pulse.setting_definitions ALTER COLUMN type SET DEFAULT 'text', ALTER COLUMN type SET NOT NULL;
