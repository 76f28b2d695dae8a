"""Whether a migration leaves alone what the version before it relies on. Judged by what it does and not by its text: by the catalog before and
after it, and by which columns of the tables that were there it writes. What only rows could tell, it does not see: an index whose expression
fails for some of them, or a default that does."""

NAMED = "format('%I.%I', nspname, relname)"
OURS = "nspname <> 'information_schema' AND nspname !~ '^pg_'"
# Each gives what there is: (name, what it belongs to, how it is). All of it must be the same afterwards.
CATALOG = {
    "table": f"""
        SELECT {NAMED}, NULL, concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relispartition, relhassubclass,
               relowner::regrole, relacl::text, CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)
          FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND {OURS}""",
    "column": f"""
        SELECT {NAMED} || '.' || attname, {NAMED}, concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
               'DEFAULT ' || pg_get_expr(adbin, adrelid), attidentity, attgenerated, attcollation::regcollation, attacl::text)
          FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
          LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f') AND {OURS}""",
    "constraint": f"""
        SELECT {NAMED} || '.' || conname, {NAMED}, pg_get_constraintdef(k.oid)
          FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE contype <> 'n' AND {OURS}""",
    "index": f"""
        SELECT format('%I.%I', nspname, indexname), format('%I.%I', nspname, tablename), indexdef
          FROM pg_indexes JOIN pg_namespace ON nspname = schemaname WHERE {OURS}""",
    "trigger": f"""
        SELECT {NAMED} || '.' || tgname, {NAMED}, concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled)
          FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE NOT tgisinternal AND {OURS}""",
    "rule": f"""
        SELECT {NAMED} || '.' || rulename, {NAMED}, pg_get_ruledef(r.oid)
          FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace WHERE rulename <> '_RETURN' AND {OURS}""",
    "policy": f"""
        SELECT {NAMED} || '.' || polname, {NAMED}, concat_ws(' ', polcmd, polpermissive, polroles::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
          FROM pg_policy JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {OURS}""",
    "function": f"""
        SELECT p.oid::regprocedure::text, format('%I.%I', nspname, proname), pg_get_functiondef(p.oid)
          FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE prokind IN ('f', 'p') AND {OURS}""",
    "type": f"""
        SELECT format('%I.%I', nspname, typname), NULL, concat_ws(' ', typtype, format_type(typbasetype, typtypmod), typnotnull, typdefault,
               (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
               (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY conname) FROM pg_constraint k WHERE contypid = t.oid))
          FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE typtype IN ('e', 'd', 'r') AND {OURS}""",
    "sequence": f"""
        SELECT format('%I.%I', nspname, sequencename), NULL, concat_ws(' ', data_type, start_value, min_value, max_value, increment_by, cycle)
          FROM pg_sequences JOIN pg_namespace ON nspname = schemaname WHERE {OURS}""",
    "setting": """
        SELECT concat_ws(' ', setdatabase, setrole, split_part(line, '=', 1)), 'the database', line FROM pg_db_role_setting, unnest(setconfig) line""",
}
# What may not come to a table that was there.
UNWELCOME = {
    "constraint": "refuses rows of the former version",
    "trigger": "runs at what the former version does",
    "rule": "changes what the former version does",
    "policy": "hides rows from the former version",
}
MUST_BE_GIVEN = """
    SELECT attnotnull AND NOT atthasdef AND attidentity = '' OR typnotnull AND NOT atthasdef AND typdefault IS NULL
      FROM pg_attribute JOIN pg_type t ON t.oid = atttypid JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE format('%%I.%%I', nspname, relname) || '.' || attname = %s"""
# The former version does not know that rows of a new table hold its own.
HOLDERS = f"""
    SELECT {NAMED} || '.' || conname, (SELECT {NAMED} FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = confrelid)
      FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE contype = 'f' AND confdeltype IN ('a', 'r')"""
TABLES = f"SELECT {NAMED}, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND {OURS}"
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
WATCH = """
CREATE TABLE watched (what text);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.watched VALUES (TG_ARGV[0]); RETURN NULL; END $$;
"""


def catalog(connection):
    return {kind: {name: (of, how) for name, of, how in connection.execute(query)} for kind, query in CATALOG.items()}


def added(kind, name, of, how, before, connection):
    """Why the former version can't bear this new thing; None where it can."""
    old_table = of in before["table"]
    if kind in UNWELCOME and old_table:
        return UNWELCOME[kind]
    if kind == "index" and old_table and how.startswith("CREATE UNIQUE"):
        return "refuses rows of the former version"
    if kind == "column" and old_table and connection.execute(MUST_BE_GIVEN, [name]).fetchone()[0]:
        return "is not given by the former version, and has no default"
    if kind == "function" and of in {was_of for was_of, _ in before["function"].values()}:
        return "may be taken for the one of that name"
    return "is obeyed by the former version" if kind == "setting" else None


def compare(before, after, connection):
    for kind, things in after.items():
        for name, (of, how) in things.items():
            was = before[kind].get(name)
            why = added(kind, name, of, how, before, connection) if was is None else None
            if why:
                yield f"new {kind} {name}: {why}"
            if was and was != (of, how):
                yield f"{kind} {name} is changed: it was {was[1]}, and is {how}"
        for name in before[kind].keys() - things.keys():
            yield f"{kind} {name} is gone"
    for name, held in connection.execute(HOLDERS):
        if held in before["table"] and name not in before["constraint"]:
            yield f"new constraint {name}: keeps the former version from removing rows of {held}"


def watch(connection):
    """Triggers per statement: they tell also where there is no row."""
    tables = connection.execute(TABLES).fetchall()
    connection.execute(WATCH)
    for table, oid in tables:
        for does in ("INSERT", "DELETE", "TRUNCATE"):
            connection.execute(f"CREATE TRIGGER watch_{does} BEFORE {does} ON {table} EXECUTE FUNCTION watch('{does} {table}')")
        for number, (column,) in enumerate(connection.execute(COLUMNS, [oid]).fetchall()):
            connection.execute(f'CREATE TRIGGER watch_{number} BEFORE UPDATE OF "{column}" ON {table} EXECUTE FUNCTION watch(\'UPDATE {table}.{column}\')')


def tried(connection, does):
    """Does it in a transaction that is undone."""
    connection.execute("BEGIN")
    try:
        return list(does())
    finally:
        connection.execute("ROLLBACK")


def complaints(connection, migration):
    """What this SQL does that the version of the database as it is can't bear. The database stays as it is; the connection is in autocommit."""
    def changes():
        before = catalog(connection)
        connection.execute(migration)
        yield from compare(before, catalog(connection), connection)

    def writes():
        watch(connection)
        connection.execute(migration)
        for (what,) in connection.execute("SELECT DISTINCT what FROM public.watched ORDER BY 1"):
            yield f"{what}: rows of the former version"

    return tried(connection, changes) or tried(connection, writes)
