-- A page of keys, newest first, revoked ones too. Walks the primary key backward. $1 int8 before this id, $2 int8 limit.
-- Columns: key_row_read.
SELECT id, name, to_jsonb(scopes)::text, to_jsonb(prefixes)::text, to_jsonb(models)::text, monthly_budget_micros, encode(secret_hash, 'hex'),
       encode(previous_hash, 'hex'), epoch_ms(previous_until), epoch_ms(created_at), created_by, epoch_ms(rotated_at), epoch_ms(expires_at),
       epoch_ms(revoked_at), epoch_ms(last_used_at), epoch_ms(now())
  FROM api_key WHERE id < $1 ORDER BY id DESC LIMIT $2
