SELECT count(*) FILTER (WHERE d.allowed) FROM rules.batches b, pulse.decide(b.requests) d WHERE b.kind = 'plpgsql';
