-- Stores an import as a job that is launched; its question is filled in by import_question.
-- $1 text name, $2 text model, $3 bytea recipe, $4 text output URI, $5 text input URI or NULL.  Gives id int8.
INSERT INTO job (name, model_id, prompt, recipe, select_mode, staging, launched_at, import_output_uri, import_input_uri)
VALUES ($1, $2, '', $3::bytea, 'import', 'none', now(), $4, $5)
RETURNING id
