-- What an operator may change while everything runs: SELECT pulse.configure('donors', 'presence_ttl', '10 min').
SELECT pulse.define_setting('donors', 'presence_ttl', '30 min',
    'how long a donor stays available after the last update of the presence', 'interval', '0', '10 years');
SELECT pulse.define_setting('donors', 'search_radius_km', '25',
    'radius of the donor search of a blood request that names none', 'number', '0.001', '20100');
SELECT pulse.define_setting('donors', 'sms_after', '5 min',
    'who was told of a request of urgency high and has not answered by then gets an SMS; 0: nobody', 'interval', '0', '10 years');
