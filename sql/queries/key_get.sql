-- One key, revoked or not. By primary key. $1 int8 id.  Columns: key_row_read.
SELECT id, name, to_jsonb(scopes)::text, to_jsonb(prefixes)::text, to_jsonb(models)::text, monthly_budget_micros, encode(secret_hash, 'hex'),
       encode(previous_hash, 'hex'), epoch_ms(previous_until), epoch_ms(created_at), created_by, epoch_ms(rotated_at), epoch_ms(expires_at),
       epoch_ms(revoked_at), epoch_ms(last_used_at), epoch_ms(now())
  FROM api_key WHERE id = $1
