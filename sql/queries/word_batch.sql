-- Indexes the words of some records of a shard: those whose summary is new, or of a later round than what is indexed. Only the
-- first 100,000 characters count, for a tsvector has a largest size. Walks record_by_shard; the rest by keys.
-- $1 int8 shard, $2 int8 after this record, $3 int8 records to look at.
-- Gives last int8 (NULL where there is no more record), succeeded int8 (summaries looked at), changed int8 (indexed).
WITH batch AS MATERIALIZED (
    SELECT id FROM record WHERE shard_id = $1 AND id > $2 ORDER BY id LIMIT $3
), looked_at AS MATERIALIZED (
    SELECT s.record_id, s.created_at, s.ingest_round, s.job_id, s.video_id, coalesce(s.summary, s.text) AS text,
           w.ingest_round IS DISTINCT FROM s.ingest_round AS is_new
      FROM batch b
      JOIN summary s ON s.record_id = b.id AND s.state = 'succeeded'
      LEFT JOIN summary_word w ON w.record_id = b.id
), changed AS (
    INSERT INTO summary_word AS old (record_id, created_at, ingest_round, words)
    SELECT l.record_id, l.created_at, l.ingest_round,
           to_tsvector('simple', left(l.text, 100000)) || array_to_tsvector(ARRAY['#j' || l.job_id, '#p' || v.prefix_id])
      FROM looked_at l
      JOIN video v ON v.id = l.video_id
     WHERE l.is_new
     ORDER BY l.record_id
    ON CONFLICT (record_id) DO UPDATE
       SET created_at = excluded.created_at, ingest_round = excluded.ingest_round, words = excluded.words
    RETURNING 1
)
SELECT (SELECT max(id) FROM batch), (SELECT count(*) FROM looked_at), (SELECT count(*) FROM changed)
