-- What the first line says was asked. By primary key. $1 int8 job, $2 text prompt, $3 text system or NULL, $4 int4 max tokens or NULL,
-- $5 float8 temperature or NULL, $6 float8 top p or NULL, $7 int4 top k or NULL, $8 bytea recipe.
UPDATE job
   SET prompt = $2, system = $3, max_tokens = $4::int4, temperature = $5::float8, top_p = $6::float8, top_k = $7::int4, recipe = $8::bytea
 WHERE id = $1 AND prompt = ''
