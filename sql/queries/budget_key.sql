-- The budget of the key that began a job. By primary keys. $1 int8 job.
-- Gives key int8, name text, monthly_budget_micros int8; no row where it has none.
SELECT k.id, k.name, k.monthly_budget_micros
  FROM job j JOIN api_key k ON k.id = j.key_id
 WHERE j.id = $1 AND k.monthly_budget_micros IS NOT NULL
