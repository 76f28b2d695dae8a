-- Forgets old answers. $1 int8 age in milliseconds. Walks idempotency_age.
DELETE FROM idempotency WHERE created_at < now() - $1::int8 * interval '1 millisecond'
