-- Blood requests (emergencies) and the donors' answers. INSERT INTO donors.blood_requests is the API: triggers do the rest.

CREATE TABLE donors.blood_requests (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    requester_id  text COLLATE "C" NOT NULL,
    blood_group   text NOT NULL,
    urgency       text NOT NULL DEFAULT 'normal',
    units         integer NOT NULL DEFAULT 1,
    latitude      double precision NOT NULL,
    longitude     double precision NOT NULL,
    radius_km     double precision NOT NULL DEFAULT donors.search_radius_km(),
    country_code  text NOT NULL,
    status        text NOT NULL DEFAULT 'open',
    hospital_id   uuid,
    hospital_name text,
    notes         text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    client_request_id text COLLATE "C",
    CONSTRAINT blood_requests_pkey PRIMARY KEY (id),
    CONSTRAINT blood_requests_hospital_id_fkey FOREIGN KEY (hospital_id)
        REFERENCES donors.hospitals (id) ON DELETE SET NULL,
    CONSTRAINT blood_requests_requester_id_check CHECK (requester_id <> ''),
    CONSTRAINT blood_requests_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL),
    CONSTRAINT blood_requests_urgency_check CHECK (urgency IN ('low', 'normal', 'high', 'critical')),
    CONSTRAINT blood_requests_units_check CHECK (units > 0),
    CONSTRAINT blood_requests_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT blood_requests_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT blood_requests_radius_km_check CHECK (radius_km > 0 AND radius_km <= 20100),
    CONSTRAINT blood_requests_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT blood_requests_status_check CHECK (status IN ('open', 'matched', 'fulfilled', 'cancelled', 'expired'))
);
CREATE INDEX blood_requests_country_code_status_created_at_idx ON donors.blood_requests (country_code, status, created_at);
CREATE INDEX blood_requests_requester_id_created_at_idx ON donors.blood_requests (requester_id, created_at);
CREATE INDEX blood_requests_hospital_id_idx ON donors.blood_requests (hospital_id) WHERE hospital_id IS NOT NULL;
CREATE UNIQUE INDEX blood_requests_client_request_id_idx ON donors.blood_requests (requester_id, client_request_id) WHERE client_request_id IS NOT NULL;
COMMENT ON TABLE donors.blood_requests IS 'blood emergencies; an insert alerts the region and the compatible donors nearby';
COMMENT ON COLUMN donors.blood_requests.requester_id IS 'the user id of who asks; joins emergency:{id}:requester';
COMMENT ON COLUMN donors.blood_requests.radius_km IS 'how far donors are searched; default: setting donors.search_radius_km';
COMMENT ON COLUMN donors.blood_requests.hospital_name IS 'filled from hospital_id when it is left out';
COMMENT ON COLUMN donors.blood_requests.updated_at IS 'time of the last change, kept by the database';
COMMENT ON COLUMN donors.blood_requests.client_request_id IS 'the requester''s own id: a request that is sent twice with it is kept once';

CREATE TABLE donors.blood_request_responses (
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    request_id  uuid NOT NULL,
    donor_id    text COLLATE "C" NOT NULL,
    status      text NOT NULL DEFAULT 'accepted',
    eta_minutes integer,
    message     text,
    distance_km double precision,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT blood_request_responses_pkey PRIMARY KEY (id),
    CONSTRAINT blood_request_responses_request_id_donor_id_key UNIQUE (request_id, donor_id),
    CONSTRAINT blood_request_responses_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES donors.blood_requests (id) ON DELETE CASCADE,
    CONSTRAINT blood_request_responses_donor_id_check CHECK (donor_id <> ''),
    CONSTRAINT blood_request_responses_status_check
        CHECK (status IN ('accepted', 'declined', 'arrived', 'donated', 'withdrawn')),
    CONSTRAINT blood_request_responses_eta_minutes_check CHECK (eta_minutes >= 0),
    CONSTRAINT blood_request_responses_distance_km_check CHECK (distance_km >= 0)
);
CREATE INDEX blood_request_responses_donor_id_idx ON donors.blood_request_responses (donor_id, created_at);
COMMENT ON TABLE donors.blood_request_responses IS 'donors'' answers, one a donor and request';
COMMENT ON COLUMN donors.blood_request_responses.distance_km IS
    'how far the donor was when the answer was given; filled from the presence, null when nothing is known';

-- One row a request whose donors have been told: a repeated job finds it and tells nobody twice.
CREATE TABLE _donors.fan_outs (
    request_id uuid NOT NULL,
    nearby     integer NOT NULL DEFAULT 0,
    at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fan_outs_pkey PRIMARY KEY (request_id),
    CONSTRAINT fan_outs_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES donors.blood_requests (id) ON DELETE CASCADE
);
