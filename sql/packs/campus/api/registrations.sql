-- What the bridge asks this pack: who joins, what clients send and read. Who may be in a room may also have what it missed there.
SELECT pulse.policy('org:{id}', 'join', 'campus.may_join_organization');
SELECT pulse.policy('org:{id}', 'history', 'campus.may_join_organization');
SELECT pulse.policy('heatmap:{id}', 'join', 'campus.may_join_organization');
SELECT pulse.policy('heatmap:{id}', 'history', 'campus.may_join_organization');
SELECT pulse.policy('campus:{id}', 'join', 'campus.may_join_campus');
SELECT pulse.policy('campus:{id}', 'history', 'campus.may_join_campus');
SELECT pulse.policy('building:{id}', 'join', 'campus.may_join_building');
SELECT pulse.policy('building:{id}', 'history', 'campus.may_join_building');

SELECT pulse.on('subscribe', 'campus.on_subscribe');

SELECT pulse.stream('/api/realtime/heatmap/stream', 'campus.heatmap_stream');
SELECT pulse.stream('/api/realtime/issues/stream', 'campus.issue_stream');
SELECT pulse.stream('/api/realtime/stats/stream', 'campus.stats_stream');

