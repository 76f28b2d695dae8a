-- Stores a job or a plan of a prefix that is not deleted, and keeps it from being deleted meanwhile.
-- $1 int8 prefix, $2 text name, $3 text model, $4 text prompt, $5 text system or NULL, $6 int4 max tokens or NULL,
-- $7 float8 temperature or NULL, $8 float8 top p or NULL, $9 int4 top k or NULL, $10 bytea recipe, $11 text select, $12 text staging,
-- $13 jsonb metadata or NULL, $14 int8[] picked or NULL, $15 text below the minimum, $16 text preflight, $17 int8 most cost or NULL,
-- $18 bool keep staging or NULL, $19 int8 retry of or NULL, $20 bool hopeless ones too, $21 bool a plan only, $22 int8 milliseconds that
-- a plan is kept.  Gives id int8; no row without the prefix.
INSERT INTO job (prefix_id, name, model_id, prompt, system, max_tokens, temperature, top_p, top_k, recipe, select_mode, staging,
                 metadata, picked, below_minimum, preflight, max_cost_micros, keep_staging, retry_of, retry_hopeless, is_plan,
                 launched_at, expires_at)
SELECT id, $2, $3, $4, $5, $6::int4, $7::float8, $8::float8, $9::int4, $10::bytea, $11, $12, $13::jsonb, $14::int8[], $15, $16,
       $17::int8, $18::bool, $19::int8, $20::bool, $21::bool, CASE WHEN NOT $21 THEN now() END,
       CASE WHEN $21 THEN now() + $22::int8 * interval '1 millisecond' END
  FROM prefix WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE
RETURNING id
