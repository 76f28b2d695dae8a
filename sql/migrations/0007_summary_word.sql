-- The full-text index, beside the summaries: an index on the table itself made storing them nine times slower. Filled in batches by
-- tasks of their own ('index', one a shard) once a shard's rows are stored.
--
-- words holds, beside those of the text, two that no text can hold: '#j' and the job's id, '#p' and the prefix's id. So a search within
-- a job or a prefix is one look into one index.
CREATE TABLE summary_word (
    record_id    int8 PRIMARY KEY,
    created_at   timestamptz NOT NULL,   -- of the summary
    ingest_round int4 NOT NULL,          -- of the summary: one of a later round is indexed again
    words        tsvector NOT NULL
);
-- New words wait in a list that every search reads; a short one keeps searches fast.
CREATE INDEX summary_word_words ON summary_word USING gin (words) WITH (gin_pending_list_limit = 1024);

-- How far the words of a shard are indexed. No row: it has nothing to index.
CREATE TABLE shard_index (
    shard_id int8 PRIMARY KEY,
    through  int8 NOT NULL DEFAULT 0,    -- records up to this id are looked at
    pending  int8 NOT NULL,              -- summaries that are not looked at yet
    since    timestamptz                 -- when the oldest of them was stored; NULL: all are indexed
);
CREATE INDEX shard_index_pending ON shard_index (since) WHERE since IS NOT NULL;
INSERT INTO shard_index (shard_id, pending, since)
SELECT id, succeeded, now() FROM shard WHERE succeeded > 0 AND state IN ('completed', 'failed', 'cancelled');
INSERT INTO task (kind, subject_id) SELECT 'index', shard_id FROM shard_index;

-- What a search asks of `words`. NULL where the text holds no word. A text's words never begin with '#'.
CREATE FUNCTION summary_query(words text, prefix_id int8, job_id int8) RETURNS tsquery LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN numnode(q) = 0 THEN NULL
                ELSE q && CASE WHEN prefix_id IS NULL THEN ''::tsquery ELSE ('''#p' || prefix_id || '''')::tsquery END
                       && CASE WHEN job_id IS NULL THEN ''::tsquery ELSE ('''#j' || job_id || '''')::tsquery END END
      FROM websearch_to_tsquery('simple', words) q
$$;

-- Hits in no order, at most so many, by the index of words and never by another: hence the settings. Nothing for a query that the index
-- can't answer, such as words to be left out and no others.
CREATE FUNCTION summary_hits(query tsquery, below int8, most int8) RETURNS TABLE (record_id int8, created_at timestamptz)
LANGUAGE sql STABLE SET enable_bitmapscan = on SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_seqscan = off AS $$
    SELECT w.record_id, w.created_at FROM summary_word w
     WHERE w.words @@ query AND w.record_id + 0 < below LIMIT most
$$;
