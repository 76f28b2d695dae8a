-- A job's recipe. $1 int8 id. By primary key.  Gives hex text, 64 digits.
SELECT encode(recipe, 'hex') FROM job WHERE id = $1
