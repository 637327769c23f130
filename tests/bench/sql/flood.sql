\set room random(0, 9)
SELECT pulse.publish('latency:' || :room, 'bench', '{"userId":"0123456789","latitude":19.076090,"longitude":72.877426,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}', ephemeral => :ephemeral::boolean);
