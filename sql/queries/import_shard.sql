-- The one shard of an import, where it is not there yet. $1 int8 id, $2 int8 job, $3 text output URI, $4 text name, $5 text token.
INSERT INTO shard (id, job_id, ordinal, record_count, folder_uri, output_uri, bedrock_name, client_token, staging)
VALUES ($1, $2, 0, 0, '', $3, $4, $5, 'none')
ON CONFLICT DO NOTHING
