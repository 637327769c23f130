-- Who gives blood, and which devices to push to.

CREATE TABLE donors.donors (
    user_id          text COLLATE "C" NOT NULL,
    name             text,
    phone            text,
    blood_group      text NOT NULL,
    country_code     text NOT NULL,
    last_donation_at timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT donors_pkey PRIMARY KEY (user_id),
    CONSTRAINT donors_user_id_check CHECK (user_id <> ''),
    CONSTRAINT donors_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT donors_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL),
    CONSTRAINT donors_country_code_check CHECK (country_code ~ '^[A-Z]{2}$')
);
COMMENT ON TABLE donors.donors IS 'people who give blood';
COMMENT ON COLUMN donors.donors.user_id IS 'the user id of the tokens';
COMMENT ON COLUMN donors.donors.phone IS 'E.164, such as +919876543210; where SMS goes';
COMMENT ON COLUMN donors.donors.blood_group IS 'O-, O+, A-, A+, B-, B+, AB- or AB+';
COMMENT ON COLUMN donors.donors.country_code IS 'ISO 3166-1 alpha-2; names the room region:{countryCode}';

CREATE TABLE donors.device_tokens (
    token        text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    token_type   text NOT NULL DEFAULT 'fcm',
    device_type  text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    CONSTRAINT device_tokens_pkey PRIMARY KEY (token),
    CONSTRAINT device_tokens_token_check CHECK (token <> ''),
    CONSTRAINT device_tokens_token_type_check CHECK (token_type IN ('fcm')),
    CONSTRAINT device_tokens_device_type_check CHECK (device_type IN ('android', 'ios', 'web'))
);
CREATE INDEX device_tokens_user_id_idx ON donors.device_tokens (user_id);
COMMENT ON TABLE donors.device_tokens IS 'push tokens of users'' devices; a requester has them too, so there need not be a donor';
