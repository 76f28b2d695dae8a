-- AWS refused. Shards that were asked for at the same time are one refusal: only one that was asked for after the last one counts as
-- another in a row. $1 text model key, $2 text reason, $3 int8 shard that was refused, $4 int8 shortest and $5 int8 longest pause in
-- milliseconds.
INSERT INTO slot_refusal AS r (model_key, reason, in_flight, refusals, refused_at, until)
SELECT $1, $2, (SELECT count(*) FROM slot_taken WHERE model_key = $1 AND shard_id <> $3),
       1, clock_timestamp(), clock_timestamp() + $4::int8 * interval '1 millisecond'
ON CONFLICT (model_key) DO UPDATE
   SET reason = excluded.reason, in_flight = excluded.in_flight, refused_at = excluded.refused_at,
       refusals = least(r.refusals + (SELECT (create_sent_at > r.refused_at)::int4 FROM shard WHERE id = $3), 20),
       until = greatest(r.until, clock_timestamp() + least($4::int8 * 2 ^ r.refusals, $5::int8) * interval '1 millisecond')
