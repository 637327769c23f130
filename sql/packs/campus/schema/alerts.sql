-- Maintenance that people in a building should know of.

CREATE TABLE campus.maintenance_alerts (
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    building_id     text COLLATE "C" NOT NULL,
    campus_id       text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    title           text NOT NULL,
    message         text NOT NULL,
    starts_at       timestamptz NOT NULL DEFAULT now(),
    ends_at         timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT maintenance_alerts_pkey PRIMARY KEY (id),
    CONSTRAINT maintenance_alerts_building_id_fkey FOREIGN KEY (building_id, campus_id, organization_id)
        REFERENCES campus.buildings (id, campus_id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT maintenance_alerts_ends_at_check CHECK (ends_at >= starts_at)
);
CREATE INDEX maintenance_alerts_building_id_idx ON campus.maintenance_alerts (building_id, campus_id, organization_id);
COMMENT ON TABLE campus.maintenance_alerts IS 'maintenance of buildings; an insert is told in the rooms of building, campus and organization';
COMMENT ON COLUMN campus.maintenance_alerts.campus_id IS 'the building''s campus, filled in by the database';
COMMENT ON COLUMN campus.maintenance_alerts.organization_id IS 'the building''s organization, filled in by the database';
