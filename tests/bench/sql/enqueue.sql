SELECT pulse.enqueue('bench', 'sql', '{"function": "bench.noop", "args": {"n": 1}}');
