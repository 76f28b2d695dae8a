-- Where an import reads. $1 int8 job. By primary key.  Gives output text, input text or NULL, model text, has_question bool.
SELECT import_output_uri, import_input_uri, model_id, prompt <> '' FROM job WHERE id = $1 AND select_mode = 'import'
