-- A plan that nobody launched is over; what it chose is removed behind this. By primary key. $1 int8 job.
UPDATE job SET state = 'expired', expires_at = least(expires_at, now()), waiting = NULL, version = version + 1
 WHERE id = $1 AND launched_at IS NULL AND state <> 'expired'
