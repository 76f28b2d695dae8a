-- The database's clock, by which all times in it are written: the machines' own may differ. Gives milliseconds int8 since 1970.
SELECT epoch_ms(clock_timestamp())
