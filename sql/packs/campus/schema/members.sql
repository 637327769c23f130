-- Who belongs to which organization, beside the claims organizationId and role of a token.

CREATE TABLE campus.members (
    user_id         text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    role            text NOT NULL DEFAULT 'member',
    CONSTRAINT members_pkey PRIMARY KEY (user_id, organization_id),
    CONSTRAINT members_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES campus.organizations (id) ON DELETE CASCADE,
    CONSTRAINT members_user_id_check CHECK (user_id <> ''),
    CONSTRAINT members_role_check CHECK (role IN ('admin', 'staff', 'member', 'viewer'))
);
CREATE INDEX members_organization_id_idx ON campus.members (organization_id);
COMMENT ON TABLE campus.members IS 'members of organizations; the claims of a token count for its own organization before this';
COMMENT ON COLUMN campus.members.role IS 'admin, staff and member write; viewer reads only';
