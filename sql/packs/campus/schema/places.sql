-- Organizations, their campuses and buildings. An organization is carried down to where rooms are named: a trigger of pulse.watch sees
-- only the row itself. The database fills it in and keeps it by the foreign keys.

CREATE TABLE campus.organizations (
    id   text COLLATE "C" NOT NULL,
    name text NOT NULL,
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_id_check CHECK (octet_length(id) BETWEEN 1 AND 200 AND octet_length(pulse.room_part(id)) <= 240 AND id !~ '[[:cntrl:]]')
);
COMMENT ON TABLE campus.organizations IS 'organizations; the rooms org:{id} and heatmap:{id}';

CREATE TABLE campus.campuses (
    id              text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    name            text NOT NULL,
    CONSTRAINT campuses_pkey PRIMARY KEY (id),
    CONSTRAINT campuses_id_organization_id_key UNIQUE (id, organization_id),
    CONSTRAINT campuses_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES campus.organizations (id) ON DELETE CASCADE,
    CONSTRAINT campuses_id_check CHECK (octet_length(id) BETWEEN 1 AND 200 AND octet_length(pulse.room_part(id)) <= 240 AND id !~ '[[:cntrl:]]')
);
CREATE INDEX campuses_organization_id_idx ON campus.campuses (organization_id);
COMMENT ON TABLE campus.campuses IS 'campuses of organizations; the rooms campus:{id}';

CREATE TABLE campus.buildings (
    id              text COLLATE "C" NOT NULL,
    campus_id       text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    name            text NOT NULL,
    latitude        double precision,
    longitude       double precision,
    CONSTRAINT buildings_pkey PRIMARY KEY (id),
    CONSTRAINT buildings_id_campus_id_key UNIQUE (id, campus_id, organization_id),
    CONSTRAINT buildings_campus_id_fkey FOREIGN KEY (campus_id, organization_id)
        REFERENCES campus.campuses (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT buildings_id_check CHECK (octet_length(id) BETWEEN 1 AND 200 AND octet_length(pulse.room_part(id)) <= 240 AND id !~ '[[:cntrl:]]'),
    CONSTRAINT buildings_position_check CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT buildings_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT buildings_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);
CREATE INDEX buildings_campus_id_idx ON campus.buildings (campus_id, organization_id);
CREATE INDEX buildings_organization_id_idx ON campus.buildings (organization_id);
COMMENT ON TABLE campus.buildings IS 'buildings of campuses; the rooms building:{id}';
COMMENT ON COLUMN campus.buildings.organization_id IS 'the campus''s organization, filled in when it is left out';
COMMENT ON COLUMN campus.buildings.latitude IS 'where issues of the building are in the heatmap that have no position of their own';
