-- What an operator may change while everything runs: SELECT pulse.configure('campus', 'heatmap_cell_m', '250').
SELECT pulse.define_setting('campus', 'heatmap_min_interval', '1 s',
    'how long after a heatmap and statistics of an organization the next ones may come', 'interval', '0', '10 years');
SELECT pulse.define_setting('campus', 'heatmap_cell_m', '100',
    'side of a cell of the heatmap in metres', 'number', '1', '1000000');
SELECT pulse.define_setting('campus', 'heatmap_period', '30 s',
    'a heatmap that is looked at is told again after so long, also when it has not changed; 0: never', 'interval', '0', '1 day');
