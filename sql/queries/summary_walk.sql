-- Hits among the newest rows of the index of words, newest first: for words that are common, for few rows need to be read. Walks the
-- primary key backward.
-- $1 text words (websearch syntax), $2 int8 prefix or NULL, $3 int8 job or NULL, $4 timestamptz from or NULL, $5 timestamptz to or NULL,
-- $6 int8 below this record, $7 int8 hits wanted, $8 int8 rows to look at,
-- $9 int8[] only of these prefixes, NULL: all; there each hit's video is asked too, by keys: what may be seen is not left to an index that a
-- former version may have filled.  Gives record_id int8.
SELECT record_id
  FROM (SELECT record_id, created_at, words FROM summary_word
         WHERE record_id < $6 ORDER BY record_id DESC LIMIT (SELECT $8::int8)) newest
 WHERE words @@ (SELECT summary_query_within($1, $2, $3, $9))
   AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at < $5)
   AND ($9::int8[] IS NULL OR (SELECT v.prefix_id FROM summary s JOIN video v ON v.id = s.video_id
                                WHERE s.record_id = newest.record_id) = ANY ($9))
 LIMIT $7
