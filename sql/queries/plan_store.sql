-- Stores what a plan found. By primary key. $1 int8 job, $2 json plan, $3 text route, $4 int8 low, $5 int8 expected and $6 int8 high cost in
-- millionths or NULL, $7 text currency or NULL, $8 int8 milliseconds that an unlaunched plan is kept.
UPDATE job
   SET plan = $2::json, route = $3, estimated_low_micros = $4, estimated_micros = $5, estimated_high_micros = $6, currency = $7,
       planned_at = now(), waiting = NULL,
       expires_at = CASE WHEN launched_at IS NULL THEN now() + $8::int8 * interval '1 millisecond' ELSE expires_at END
 WHERE id = $1
