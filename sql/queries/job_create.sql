-- Stores a job of a prefix that is not deleted, and keeps it from being deleted meanwhile.
-- $1 int8 prefix, $2 text name, $3 text model, $4 text prompt, $5 text system or NULL, $6 int4 max tokens or NULL,
-- $7 float8 temperature or NULL, $8 float8 top p or NULL, $9 int4 top k or NULL, $10 bytea recipe, $11 text select, $12 text staging,
-- $13 jsonb metadata or NULL.  Gives id int8; no row without the prefix.
INSERT INTO job (prefix_id, name, model_id, prompt, system, max_tokens, temperature, top_p, top_k, recipe, select_mode, staging,
                 metadata)
SELECT id, $2, $3, $4, $5, $6::int4, $7::float8, $8::float8, $9::int4, $10::bytea, $11, $12, $13::jsonb
  FROM prefix WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE
RETURNING id
