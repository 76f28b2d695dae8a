-- An import may take over videos under several prefixes; prefix_id is that of its first record only. Whoever is held to places in S3
-- may see the import only if all of these are among them. NULL: it has no records yet, or a version before this one made them.
ALTER TABLE job ADD COLUMN import_prefixes int8[];
UPDATE job j
   SET import_prefixes = (SELECT array_agg(DISTINCT v.prefix_id) FROM record r JOIN video v ON v.id = r.video_id WHERE r.job_id = j.id)
 WHERE import_output_uri IS NOT NULL AND prefix_id IS NOT NULL;

-- A summary is found under the prefix of its video.
UPDATE summary_word w
   SET words = ts_delete(w.words, '#p' || j.prefix_id) || array_to_tsvector(ARRAY['#p' || v.prefix_id])
  FROM job j
  JOIN summary s ON s.job_id = j.id
  JOIN video v ON v.id = s.video_id
 WHERE j.import_output_uri IS NOT NULL AND cardinality(j.import_prefixes) > 1 AND v.prefix_id <> j.prefix_id AND w.record_id = s.record_id;
