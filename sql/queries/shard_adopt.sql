-- Bedrock has the job of a shard that was not submitted as far as is known. By the unique key of names.
-- $1 int8 job, $2 text name, $3 text token.
UPDATE shard SET state = 'submitting', submit_started_at = now(), create_sent_at = now()
 WHERE bedrock_name = $2 AND client_token = $3 AND job_id = $1 AND route = 'batch'
   AND (state IN ('planned', 'staging') OR (state = 'submitting' AND submit_started_at IS NULL))
