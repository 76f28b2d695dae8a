-- Until the transaction ends: room to sort and hash a million videos.
SELECT set_config('work_mem', '64MB', true)
