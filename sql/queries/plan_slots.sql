-- Bedrock jobs that are, or may be, ours now, of one model. Walks shard_taken. $1 text model key.  Gives count int8.
SELECT count(*) FROM slot_taken WHERE model_key = $1
