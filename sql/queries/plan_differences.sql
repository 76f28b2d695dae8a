-- How the videos of a plan differ from what they were when it was made. Scans the plan's records, and for what is not to be run twice
-- the recipe's other records, once.
-- $1 int8 job, $2 bool whether what has a summary by now, or is about to get one, is a difference.
-- Gives why text, count int8, video id int8, bucket text, key_prefix text, name text; up to 20 examples of each, a row an example.
SELECT d.why, d.count, d.id, p.bucket, p.key_prefix, d.name
  FROM (SELECT w.why, w.id, w.name, w.prefix_id, count(*) OVER (PARTITION BY w.why) AS count,
               row_number() OVER (PARTITION BY w.why ORDER BY w.name) AS place
          FROM (SELECT v.id, v.name, v.prefix_id,
                       CASE WHEN v.vanished_at IS NOT NULL THEN 'vanished'
                            WHEN v.etag <> r.etag THEN 'changed'
                            WHEN v.reason IS NOT NULL THEN v.reason
                            WHEN a.done THEN 'has_summary'
                            WHEN a.active THEN 'in_progress' END AS why
                  FROM record r
                  JOIN video v ON v.id = r.video_id
                  LEFT JOIN (SELECT o.video_id, o.etag, bool_or(s.state = 'succeeded') AS done,
                                    bool_or(s.record_id IS NULL AND j.state NOT IN ('completed', 'failed', 'cancelled')) AS active
                               FROM job me JOIN job j ON j.prefix_id = me.prefix_id AND j.recipe = me.recipe AND j.launched_at IS NOT NULL
                               JOIN record o ON o.job_id = j.id LEFT JOIN summary s ON s.record_id = o.id
                              WHERE me.id = $1 AND $2::bool
                              GROUP BY o.video_id, o.etag) a ON a.video_id = r.video_id AND a.etag = r.etag
                 WHERE r.job_id = $1) w
         WHERE w.why IS NOT NULL) d
  JOIN prefix p ON p.id = d.prefix_id
 WHERE d.place <= 20
 ORDER BY d.count DESC, d.why, d.place
