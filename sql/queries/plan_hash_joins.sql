-- Until the transaction ends: joins are made by hashing or merging. What was scanned a moment ago has no statistics yet, and a loop over
-- a million videos would never end. $1 text 'on' or 'off': loops.
SELECT set_config('enable_nestloop', $1, true)
