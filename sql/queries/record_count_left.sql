-- Records of a shard that nothing is stored of yet. Walks record_by_shard; summary by its key. $1 int8 shard.  Gives count int8.
SELECT count(*) FROM record r WHERE r.shard_id = $1 AND NOT EXISTS (SELECT FROM summary s WHERE s.record_id = r.id)
