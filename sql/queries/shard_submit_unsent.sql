-- AWS refused the latest request for the shard's job: the one before it is the latest whose answer may be missing. $1 int8 id, $2 int8
-- milliseconds since 1970, of create_sent_at.
UPDATE shard SET create_sent_at = to_timestamp($2::int8 / 1000.0) WHERE id = $1
