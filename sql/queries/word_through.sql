-- Notes how far a shard is indexed. By primary key.
-- $1 int8 shard, $2 int8 through this record, $3 int8 summaries that are pending no more, $4 bool that was all.
UPDATE shard_index
   SET through = greatest(through, $2), pending = CASE WHEN $4 THEN 0 ELSE greatest(pending - $3, 0) END,
       since = CASE WHEN NOT $4 THEN since END
 WHERE shard_id = $1
