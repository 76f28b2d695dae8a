-- A page of launched jobs, newest first. Walks the primary key, job_by_prefix or job_by_state backward (planned for what is given), and
-- shard_by_job for each job.
-- $1 int8 before this id, $2 int8 prefix or NULL, $3 text state or NULL, $4 int8 limit, $5 int8[] only of these prefixes (an import: if
-- all of its are among them; of one that a former version ended its records are asked), NULL: all, $6 int8 and, of imports that have no
-- prefix yet, what this key began.  Columns: job_row_read.
SELECT j.id, j.prefix_id, j.name, j.state, j.outcome, j.model_id, j.prompt, j.system,
       j.max_tokens, j.temperature, j.top_p, j.top_k, j.select_mode, j.staging, j.metadata::text, j.error::text, j.version,
       epoch_ms(j.created_at), epoch_ms(j.started_at), epoch_ms(j.completed_at),
       s.total, s.succeeded, s.failed, s.missing, s.processed, s.input_tokens, s.output_tokens, s.shards, j.cancel_requested,
       epoch_ms(j.launched_at), epoch_ms(j.planned_at), epoch_ms(j.expires_at), j.is_plan, j.retry_of, j.retry_hopeless,
       j.below_minimum, j.preflight, j.route, j.max_cost_micros, j.keep_staging, j.estimated_low_micros, j.estimated_micros,
       j.estimated_high_micros, j.currency, j.waiting::text,
       j.import_output_uri, j.import_input_uri, s.charged_input, s.charged_output, s.is_charged
  FROM job j
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(record_count), 0) AS total, coalesce(sum(succeeded), 0) AS succeeded,
              coalesce(sum(failed), 0) AS failed, coalesce(sum(missing), 0) AS missing,
              coalesce(sum(bedrock_processed) FILTER (WHERE state = 'running'), 0) AS processed,
              coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens,
              coalesce(sum(greatest(manifest_input_tokens, input_tokens)), 0) AS charged_input,
              coalesce(sum(greatest(manifest_output_tokens, output_tokens)), 0) AS charged_output,
              coalesce(bool_and(state = 'completed' OR (state IN ('failed', 'cancelled') AND bedrock_arn IS NULL)), true) AS is_charged,
              count(*) AS shards
         FROM shard WHERE job_id = j.id) s
 WHERE j.launched_at IS NOT NULL AND j.id < $1 AND ($2::int8 IS NULL OR j.prefix_id = $2) AND ($3::text IS NULL OR j.state = $3)
   AND ($5::int8[] IS NULL OR (j.prefix_id = ANY($5) AND (j.import_output_uri IS NULL OR j.import_prefixes <@ $5
            OR (j.import_prefixes IS NULL AND NOT EXISTS (SELECT FROM record r JOIN video v ON v.id = r.video_id
                                                           WHERE r.job_id = j.id AND v.prefix_id <> ALL ($5)))))
        OR (j.prefix_id IS NULL AND j.key_id = $6))
 ORDER BY j.id DESC LIMIT $4
