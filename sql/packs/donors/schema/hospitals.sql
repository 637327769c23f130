-- Hospitals and their stock of blood.

CREATE TABLE donors.hospitals (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    name         text NOT NULL,
    country_code text NOT NULL,
    latitude     double precision NOT NULL,
    longitude    double precision NOT NULL,
    emergency    boolean NOT NULL DEFAULT false,
    is_active    boolean NOT NULL DEFAULT true,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT hospitals_pkey PRIMARY KEY (id),
    CONSTRAINT hospitals_id_country_code_key UNIQUE (id, country_code),
    CONSTRAINT hospitals_name_check CHECK (name <> ''),
    CONSTRAINT hospitals_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT hospitals_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT hospitals_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);
COMMENT ON TABLE donors.hospitals IS 'hospitals; a change of emergency or is_active is told to the region';
COMMENT ON COLUMN donors.hospitals.emergency IS 'takes emergencies right now';

-- country_code is the hospital's, kept here by the foreign key: the event of a change goes to the region's room, and a
-- trigger of pulse.watch sees only the row itself.
CREATE TABLE donors.blood_inventory (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    hospital_id  uuid NOT NULL,
    country_code text NOT NULL,
    blood_group  text NOT NULL,
    units        integer NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT blood_inventory_pkey PRIMARY KEY (id),
    CONSTRAINT blood_inventory_hospital_id_blood_group_key UNIQUE (hospital_id, blood_group),
    CONSTRAINT blood_inventory_hospital_id_fkey FOREIGN KEY (hospital_id, country_code)
        REFERENCES donors.hospitals (id, country_code) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT blood_inventory_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL),
    CONSTRAINT blood_inventory_units_check CHECK (units >= 0)
);
COMMENT ON TABLE donors.blood_inventory IS 'units of blood in stock, one row a hospital and group';
COMMENT ON COLUMN donors.blood_inventory.country_code IS 'the hospital''s country, filled and kept by the database';
