-- Families, who belongs to them, and their channels.

CREATE TABLE care.families (
    id         text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT families_pkey PRIMARY KEY (id),
    CONSTRAINT families_id_check CHECK (id <> '' AND octet_length(id) <= 200 AND octet_length(pulse.room_part(id)) <= 240 AND id !~ '[[:cntrl:]]')
);
COMMENT ON TABLE care.families IS 'care circles; each has a room family:{id} and, from the start, one channel';

CREATE TABLE care.members (
    family_id text COLLATE "C" NOT NULL,
    user_id   text COLLATE "C" NOT NULL,
    role      text NOT NULL DEFAULT 'member',
    joined_at timestamptz NOT NULL DEFAULT now(),
    left_at   timestamptz,
    CONSTRAINT members_pkey PRIMARY KEY (family_id, user_id),
    CONSTRAINT members_family_id_fkey FOREIGN KEY (family_id) REFERENCES care.families (id) ON DELETE CASCADE,
    CONSTRAINT members_user_id_check CHECK (user_id <> '')
);
CREATE INDEX members_user_id_idx ON care.members (user_id);
COMMENT ON TABLE care.members IS 'who belongs to a family; who leaves (left_at, or a deleted row) is put out of its room at once';
COMMENT ON COLUMN care.members.role IS 'a word of the application';
COMMENT ON COLUMN care.members.left_at IS 'no member any more';

CREATE TABLE care.channels (
    id         text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    family_id  text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT channels_pkey PRIMARY KEY (id),
    CONSTRAINT channels_id_family_id_key UNIQUE (id, family_id),
    CONSTRAINT channels_family_id_fkey FOREIGN KEY (family_id) REFERENCES care.families (id) ON DELETE CASCADE
);
CREATE INDEX channels_family_id_idx ON care.channels (family_id);
CREATE UNIQUE INDEX channels_family_id_default_idx ON care.channels (family_id) WHERE is_default;
COMMENT ON TABLE care.channels IS 'where the members of a family talk';
COMMENT ON COLUMN care.channels.is_default IS 'takes messages that name no channel; one a family, made with it';
