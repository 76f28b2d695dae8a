-- What is not taken, by reason, with up to three examples of each. Scans plan_video once, and again for each reason until it has three.
-- $1 int8 prefix.
-- Gives reason text, count int8, video id int8, bucket text, key_prefix text, name text; a row an example.
SELECT g.reason, g.count, example.id, p.bucket, p.key_prefix, example.name
  FROM (SELECT reason, count(*) AS count FROM plan_video WHERE reason IS NOT NULL GROUP BY reason) g
 CROSS JOIN LATERAL (SELECT id, name, n FROM plan_video WHERE reason = g.reason ORDER BY n LIMIT 3) example
 CROSS JOIN prefix p
 WHERE p.id = $1
 ORDER BY g.count DESC, g.reason, example.n
