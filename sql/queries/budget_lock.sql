-- Launches follow each other until the transaction ends, so that two never spend the same rest of the budget.
SELECT pg_advisory_xact_lock(hashtextextended('vidbatch budget', 0))
