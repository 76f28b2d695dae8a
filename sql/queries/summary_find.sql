-- All hits by the index of words, as long as there are not too many: for words that are rare. The newest of them, newest first, and in
-- the row whose record_id is NULL how many were looked at: more than the most that are allowed where the rows say nothing, for then there
-- are more, or the index can't answer.
-- $1 text words (websearch syntax), $2 int8 prefix or NULL, $3 int8 job or NULL, $4 timestamptz from or NULL, $5 timestamptz to or NULL,
-- $6 int8 below this record, $7 int8 hits wanted, $8 int8 most,
-- $9 int8[] only of these prefixes, NULL: all; there each hit's video is asked too, see summary_walk.  Gives record_id int8, seen int8.
WITH query AS MATERIALIZED (
    SELECT q, coalesce(querytree(q) = 'T', false) AS is_open FROM summary_query_within($1, $2, $3, $9) q
), hit AS MATERIALIZED (
    SELECT h.record_id, h.created_at FROM query, summary_hits(CASE WHEN NOT is_open THEN q END, $6, $8::int8 + 1) h
)
SELECT NULL::int8 AS record_id, CASE WHEN (SELECT is_open FROM query) THEN $8::int8 + 1 ELSE (SELECT count(*) FROM hit) END AS seen
UNION ALL
(SELECT record_id, NULL FROM hit
  WHERE ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at < $5)
    AND ($9::int8[] IS NULL OR (SELECT v.prefix_id FROM summary s JOIN video v ON v.id = s.video_id
                                 WHERE s.record_id = hit.record_id) = ANY ($9))
  ORDER BY record_id DESC LIMIT $7)
