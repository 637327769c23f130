-- The handler's function alone, as the peer calls it: what PostgreSQL does in a round trip whose server costs nothing.
\set person random(0, 999)
SELECT bench.echo(json_build_array(json_build_object('n', :client_id::int, 'person', :person::int)));
