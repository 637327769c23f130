\set pause random(10, 30)
\sleep :pause ms
SELECT extract(epoch FROM clock_timestamp()) AS sent \gset
SELECT pulse.enqueue('bench', 'sql', json_build_object('function', 'bench.picked_up', 'args', json_build_object('sent', :sent::numeric)));
