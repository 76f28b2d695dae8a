-- Until the transaction, or the savepoint, ends: statements have no more than so long. A shorter limit of the session stays.
-- $1 int8 milliseconds.
SELECT set_config('statement_timeout', least($1::int8, nullif(setting::int8, 0))::text, true)
  FROM pg_settings WHERE name = 'statement_timeout'
