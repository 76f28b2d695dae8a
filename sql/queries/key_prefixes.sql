-- The registered prefixes, deleted ones too, that a key may see, as an int8[] in text form; "{}" where there are none. Walks all prefixes.
-- $1 int8 key.  Gives ids text.
SELECT coalesce(array_agg(p.id), '{}')::text
  FROM api_key k, prefix p
 WHERE k.id = $1 AND EXISTS (SELECT FROM unnest(k.prefixes) place WHERE starts_with('s3://' || p.bucket || '/' || p.key_prefix, place))
