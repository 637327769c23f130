-- What the torture writes to and asks: zones to publish into, watched rows, who may join what, and a row for each transaction.
CREATE SCHEMA torture;
GRANT USAGE ON SCHEMA torture TO pulse_client;

-- One row a transaction, of plain PostgreSQL: what the oracle believes when an answer was lost.
CREATE TABLE torture.transactions (t integer PRIMARY KEY);

-- Each update makes one event, which says which version of the row it is.
CREATE TABLE torture.rows (
    id      integer PRIMARY KEY,
    zone    integer NOT NULL,
    version integer NOT NULL DEFAULT 0,
    n       integer,
    t       integer,
    k       integer
);
SELECT pulse.watch('torture.rows', 'changed', ARRAY['zone:{zone}', 'row:{id}'], operations => 'update',
    payload => '{"n": "{n}", "t": "{t}", "k": "{k}", "row": "{id}", "version": "{version}"}');

CREATE TABLE torture.rights (
    user_id text NOT NULL,
    room    text NOT NULL,
    PRIMARY KEY (user_id, room)
);
CREATE FUNCTION torture.may_join(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    RETURN EXISTS (SELECT FROM torture.rights r WHERE r.user_id = claims ->> 'userId' AND r.room = may_join.room);
SELECT pulse.policy('zone:{id}', 'join', 'torture.may_join');
SELECT pulse.policy('row:{id}', 'join', 'torture.may_join');
SELECT pulse.policy('zone:{id}', 'history', 'torture.may_join');
SELECT pulse.policy('row:{id}', 'history', 'torture.may_join');
