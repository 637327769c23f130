-- What is registered by SQL: policies, handlers, connect functions, settings. Functions are stored as text
-- (pg_upgrade refuses regproc). extension: the pack that registered it inside CREATE EXTENSION; null for the application's own.
CREATE TABLE _pulse.policies (
    pattern   text COLLATE "C" NOT NULL,
    operation text NOT NULL,
    function  text NOT NULL,
    extension text,
    CONSTRAINT policies_pkey PRIMARY KEY (pattern, operation),
    CONSTRAINT policies_operation_check CHECK (operation IN ('join', 'publish', 'history', 'presence'))
);
CREATE TABLE _pulse.handlers (
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    key       text,
    extension text,
    CONSTRAINT handlers_pkey PRIMARY KEY (namespace, event)
);
CREATE TABLE _pulse.namespaces (
    name      text COLLATE "C" NOT NULL,
    connect   text COLLATE "C" NOT NULL,
    extension text,
    CONSTRAINT namespaces_pkey PRIMARY KEY (name, connect)
);
-- The definition belongs to the pack, the value to the DBA: only values are dumped.
CREATE TABLE _pulse.setting_definitions (
    pack          text NOT NULL,
    name          text NOT NULL,
    default_value text,
    description   text NOT NULL,
    extension     text,
    CONSTRAINT setting_definitions_pkey PRIMARY KEY (pack, name)
);
CREATE TABLE _pulse.settings (
    pack  text NOT NULL,
    name  text NOT NULL,
    value text,
    CONSTRAINT settings_pkey PRIMARY KEY (pack, name)
);
