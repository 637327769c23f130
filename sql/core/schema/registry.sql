-- What is registered by SQL: policies, handlers, connect functions, streams, routes, limits, settings. Functions are stored as text
-- (pg_upgrade refuses regproc). extension: the pack that registered it inside CREATE EXTENSION; null for the application's own.
-- The application's row stands beside a pack's and wins; dropping it brings the pack's back.
CREATE TABLE _pulse.policies (
    pattern   text COLLATE "C" NOT NULL,
    operation text NOT NULL,
    function  text NOT NULL,
    extension text,
    CONSTRAINT policies_key UNIQUE NULLS NOT DISTINCT (pattern, operation, extension),
    CONSTRAINT policies_operation_check CHECK (operation IN ('join', 'publish', 'history', 'presence'))
);
COMMENT ON TABLE _pulse.policies IS 'which function decides about an operation on rooms of a pattern';

CREATE TABLE _pulse.handlers (
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    key       text,
    extension text,
    CONSTRAINT handlers_key UNIQUE NULLS NOT DISTINCT (namespace, event, extension)
);
COMMENT ON TABLE _pulse.handlers IS 'which function handles an event of a client';

CREATE TABLE _pulse.namespaces (
    name      text COLLATE "C" NOT NULL,
    connect   text COLLATE "C" NOT NULL,
    extension text,
    CONSTRAINT namespaces_key UNIQUE NULLS NOT DISTINCT (name, connect, extension)
);
COMMENT ON TABLE _pulse.namespaces IS 'connect functions, any number a namespace';

CREATE TABLE _pulse.streams (
    path      text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    auth      text NOT NULL,
    extension text,
    CONSTRAINT streams_key UNIQUE NULLS NOT DISTINCT (path, extension),
    CONSTRAINT streams_auth_check CHECK (auth IN ('jwt', 'internal', 'none'))
);
COMMENT ON TABLE _pulse.streams IS 'which function opens an event stream for an HTTP request';

-- Rate limits: classes, and the events that take of them.
CREATE TABLE _pulse.limits (
    class     text COLLATE "C" NOT NULL,
    points    integer NOT NULL,
    per       interval NOT NULL,
    extension text,
    CONSTRAINT limits_key UNIQUE NULLS NOT DISTINCT (class, extension),
    CONSTRAINT limits_points_check CHECK (points > 0),
    CONSTRAINT limits_per_check CHECK (per > '0')
);
COMMENT ON TABLE _pulse.limits IS 'classes of rate limits: so many points in a time';

CREATE TABLE _pulse.limit_events (
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    class     text COLLATE "C" NOT NULL,
    extension text,
    CONSTRAINT limit_events_key UNIQUE NULLS NOT DISTINCT (namespace, event, extension)
);
COMMENT ON TABLE _pulse.limit_events IS 'which class of rate limits an event of clients takes of';

CREATE TABLE _pulse.routes (
    method    text COLLATE "C" NOT NULL,
    path      text COLLATE "C" NOT NULL,
    function  text NOT NULL,
    auth      text NOT NULL,
    extension text,
    CONSTRAINT routes_key UNIQUE NULLS NOT DISTINCT (method, path, extension),
    CONSTRAINT routes_method_check CHECK (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
    CONSTRAINT routes_auth_check CHECK (auth IN ('jwt', 'internal', 'none'))
);
COMMENT ON TABLE _pulse.routes IS 'which function answers an HTTP request';

-- Answers of idempotent handlers; the key is filled in from the call.
CREATE TABLE _pulse.answers (
    user_id   text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    event     text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    ack       json,
    effects   json,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT answers_pkey PRIMARY KEY (user_id, namespace, event, key)
);
CREATE INDEX answers_at_idx ON _pulse.answers (at);
COMMENT ON TABLE _pulse.answers IS 'answers of handlers registered with a key, so that a retried call runs nothing twice';

-- The definition belongs to the pack, the value to the DBA: values are dumped, a pack brings its definitions itself.
CREATE TABLE _pulse.setting_definitions (
    pack          text NOT NULL,
    name          text NOT NULL,
    default_value text,
    description   text NOT NULL,
    extension     text,
    type          text NOT NULL DEFAULT 'text',
    minimum       text,
    maximum       text,
    CONSTRAINT setting_definitions_pkey PRIMARY KEY (pack, name)
);
COMMENT ON TABLE _pulse.setting_definitions IS 'settings that exist';

CREATE TABLE _pulse.settings (
    pack  text NOT NULL,
    name  text NOT NULL,
    value text NOT NULL,
    CONSTRAINT settings_pkey PRIMARY KEY (pack, name)
);
COMMENT ON TABLE _pulse.settings IS 'values that differ from the default';
