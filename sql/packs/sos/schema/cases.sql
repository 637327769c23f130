-- Cases, who takes part in them, and where they are. Ordinary SQL is the API: an INSERT opens a case, an UPDATE of status is told to its
-- room, and closing empties the room (schema/triggers.sql, schema/events.sql).
--
-- A case lives until expires_at: state_ttl after its last change, closed_ttl after it was closed. Everything that clients can read ends then;
-- the rows stay, for records and statistics, until somebody deletes them.

CREATE TABLE sos.cases (
    id           text COLLATE "C" NOT NULL,
    citizen_id   text COLLATE "C" NOT NULL,
    status       text NOT NULL DEFAULT 'open',
    latitude     double precision,
    longitude    double precision,
    details      json,
    created_at   timestamptz NOT NULL DEFAULT now(),
    closed_at    timestamptz,
    expires_at   timestamptz NOT NULL DEFAULT now() + sos.state_ttl(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    updated_by   text COLLATE "C",
    updated_role text,
    note         text,
    emptied_at   timestamptz,
    verified     boolean,
    verified_at  timestamptz,
    CONSTRAINT cases_pkey PRIMARY KEY (id),
    CONSTRAINT cases_id_check CHECK (id <> '' AND octet_length(id) <= 200 AND octet_length(pulse.room_part(id)) <= 240 AND id !~ '[[:cntrl:]]'),
    CONSTRAINT cases_citizen_id_check CHECK (citizen_id <> ''),
    CONSTRAINT cases_status_check CHECK (status IN ('open', 'assigned', 'en_route', 'on_scene', 'resolved', 'closed', 'cancelled')),
    CONSTRAINT cases_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT cases_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);
CREATE INDEX cases_citizen_id_idx ON sos.cases (citizen_id, created_at);
CREATE INDEX cases_created_at_idx ON sos.cases (created_at);
CREATE INDEX cases_live_idx ON sos.cases (id) WHERE emptied_at IS NULL;
COMMENT ON TABLE sos.cases IS 'SOS cases; an insert and each change of status is told to sos:{id}';
COMMENT ON COLUMN sos.cases.citizen_id IS 'the user id of who asks for help';
COMMENT ON COLUMN sos.cases.details IS 'whatever the SOS service or the application knows of the case; clients of the case read it';
COMMENT ON COLUMN sos.cases.expires_at IS 'until when the case can be read and written by clients; settings state_ttl and closed_ttl';
COMMENT ON COLUMN sos.cases.updated_by IS 'who changed the status last; filled with the user of the call, else system';
COMMENT ON COLUMN sos.cases.updated_role IS 'the role of updated_by; filled likewise';
COMMENT ON COLUMN sos.cases.note IS 'of the last change of status';
COMMENT ON COLUMN sos.cases.verified IS 'whether the SOS service knows the case; null: it was not asked, or has not answered';
COMMENT ON COLUMN sos.cases.verified_at IS 'when it said so';
COMMENT ON COLUMN sos.cases.emptied_at IS 'when its room was emptied for good: at closing or expiry';

-- located_at and what follows are the last position; broadcast_at is when a position was sent to the room last, or will be. One row is
-- updated for each position: it has no index that these columns are in, so the update stays in the page, for which fillfactor leaves room.
CREATE TABLE sos.participants (
    case_id      text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    role         text NOT NULL DEFAULT 'citizen',
    joined_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    located_at   timestamptz,
    latitude     double precision,
    longitude    double precision,
    accuracy     double precision,
    heading      double precision,
    speed        double precision,
    located      bigint NOT NULL DEFAULT 0,
    broadcast_at timestamptz,
    admitted     boolean NOT NULL DEFAULT true,
    CONSTRAINT participants_pkey PRIMARY KEY (case_id, user_id),
    CONSTRAINT participants_case_id_fkey FOREIGN KEY (case_id) REFERENCES sos.cases (id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT participants_user_id_check CHECK (user_id <> ''),
    CONSTRAINT participants_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT participants_longitude_check CHECK (longitude BETWEEN -180 AND 180)
) WITH (fillfactor = 50);
CREATE INDEX participants_user_id_idx ON sos.participants (user_id);
COMMENT ON TABLE sos.participants IS 'who takes part in a case, and the last position';
COMMENT ON COLUMN sos.participants.role IS 'citizen, rescuer, dispatcher, admin, or one of the application''s';
COMMENT ON COLUMN sos.participants.located IS 'how many positions the user sent; every track_sample-th is in sos.positions';
COMMENT ON COLUMN sos.participants.broadcast_at IS 'when a position was broadcast last, or, in the future, will be';
COMMENT ON COLUMN sos.participants.admitted IS 'the user may enter whatever the token says; false in rows of those whose token let them in';

CREATE TABLE sos.positions (
    id        bigint GENERATED ALWAYS AS IDENTITY,
    case_id   text COLLATE "C" NOT NULL,
    user_id   text COLLATE "C" NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL,
    accuracy  double precision,
    heading   double precision,
    speed     double precision,
    at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT positions_pkey PRIMARY KEY (id),
    CONSTRAINT positions_case_id_fkey FOREIGN KEY (case_id) REFERENCES sos.cases (id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT positions_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT positions_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);
CREATE INDEX positions_case_id_at_idx ON sos.positions (case_id, at, id);
CREATE INDEX positions_at_idx ON sos.positions (at);
COMMENT ON TABLE sos.positions IS 'the track: a sample of the positions of each user in a case';
COMMENT ON COLUMN sos.positions.at IS 'when the user was there';
