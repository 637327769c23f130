-- What an operator may change while everything runs: SELECT pulse.configure('moves', 'offer_ttl', '30 s'). The limits of clients'
-- events are changed by pulse.limit, see api/registrations.sql.
SELECT pulse.define_setting('moves', 'location_ttl', '1 h',
    'how long a porter''s last position is kept', 'interval', '0', '10 years');
SELECT pulse.define_setting('moves', 'location_sample', '10',
    'one position in so many of a porter is kept for good in moves.porter_track', 'integer', '1', '1000000000');
SELECT pulse.define_setting('moves', 'offer_ttl', '60 s',
    'how long a job offer that names no expires_at can be accepted', 'interval', '0', '10 years');
SELECT pulse.define_setting('moves', 'access_token_ttl', '15 min',
    'how long an access token of moves.mint_access_token is good', 'interval', '1 s', '10 years');
SELECT pulse.define_setting('moves', 'socket_token_ttl', '24 h',
    'how long a socket token is good', 'interval', '1 s', '10 years');
SELECT pulse.define_setting('moves', 'session_ttl', '24 h',
    'how long a reconnect token is good', 'interval', '1 s', '10 years');
SELECT pulse.define_setting('moves', 'subscription_ttl', '24 h',
    'how long after order:subscribe a reconnect token brings the order''s room back', 'interval', '0', '10 years');
