-- One asks AWS after a refusal: nobody else for so long, or until the answer. $1 text model key, $2 int8 milliseconds.
UPDATE slot_refusal SET until = now() + $2::int8 * interval '1 millisecond' WHERE model_key = $1
