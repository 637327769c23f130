-- What an operator may change while everything runs: SELECT pulse.configure('sos', 'closed_ttl', '10 min').
SELECT pulse.define_setting('sos', 'state_ttl', '24 hours', 'how long a case lives after its last change', 'interval', '0', '10 years');
SELECT pulse.define_setting('sos', 'closed_ttl', '1 hour', 'how long a closed case can still be read', 'interval', '0', '10 years');
SELECT pulse.define_setting('sos', 'presence_ttl', '1 hour', 'how long somebody who is not heard of counts as online', 'interval', '1 ms', '10 years');
SELECT pulse.define_setting('sos', 'location_interval', '1 second', 'at most one position of a user is broadcast in this time', 'interval', '0', '1 hour');
SELECT pulse.define_setting('sos', 'track_sample', '10', 'of so many positions of a user one is kept in the track', 'integer', '1', '1000000000');
SELECT pulse.define_setting('sos', 'service_url', '', 'address of the SOS service, which is asked about cases and told of their events; empty: there is none');
