-- Issues. INSERT, UPDATE and DELETE are the API; each is one event, and none fails because its event could not be stored.

CREATE TABLE campus.issues (
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    organization_id text COLLATE "C" NOT NULL,
    campus_id       text COLLATE "C" NOT NULL,
    building_id     text COLLATE "C",
    title           text NOT NULL,
    description     text,
    category        text,
    severity        text NOT NULL DEFAULT 'medium',
    status          text NOT NULL DEFAULT 'open',
    reported_by     text COLLATE "C" NOT NULL,
    assigned_to     text COLLATE "C",
    latitude        double precision,
    longitude       double precision,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    resolved_at     timestamptz,
    client_issue_id text COLLATE "C",
    CONSTRAINT issues_pkey PRIMARY KEY (id),
    CONSTRAINT issues_campus_id_fkey FOREIGN KEY (campus_id, organization_id)
        REFERENCES campus.campuses (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT issues_building_id_fkey FOREIGN KEY (building_id, campus_id, organization_id)
        REFERENCES campus.buildings (id, campus_id, organization_id) ON UPDATE CASCADE ON DELETE SET NULL (building_id),
    CONSTRAINT issues_title_check CHECK (title <> ''),
    CONSTRAINT issues_reported_by_check CHECK (reported_by <> ''),
    CONSTRAINT issues_assigned_to_check CHECK (assigned_to <> ''),
    CONSTRAINT issues_severity_check CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    CONSTRAINT issues_status_check CHECK (status IN ('open', 'assigned', 'in_progress', 'resolved')),
    CONSTRAINT issues_position_check CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT issues_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT issues_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);
CREATE INDEX issues_organization_id_status_idx ON campus.issues (organization_id, status);
CREATE INDEX issues_campus_id_idx ON campus.issues (campus_id, organization_id);
CREATE INDEX issues_building_id_idx ON campus.issues (building_id, campus_id, organization_id) WHERE building_id IS NOT NULL;
CREATE UNIQUE INDEX issues_client_issue_id_idx ON campus.issues (reported_by, client_issue_id) WHERE client_issue_id IS NOT NULL;
COMMENT ON TABLE campus.issues IS 'issues of campuses; each change goes to the rooms of organization, campus and building';
COMMENT ON COLUMN campus.issues.organization_id IS 'the campus''s organization, filled in when it is left out';
COMMENT ON COLUMN campus.issues.campus_id IS 'the building''s campus, filled in when it is left out';
COMMENT ON COLUMN campus.issues.updated_at IS 'time of the last change, kept by the database';
COMMENT ON COLUMN campus.issues.resolved_at IS 'when it became resolved, kept by the database';
COMMENT ON COLUMN campus.issues.client_issue_id IS 'the reporter''s own id: an issue that is reported twice with it is kept once';
