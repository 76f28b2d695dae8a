#include "server/key_cli.h"

#include "handlers/key_input.h"
#include "server/base/api_key.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/money.h"
#include "sql/audit_store.h"
#include "sql/migrate.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIST_PAGE = 500 };

static const char usage[] =
    "usage: vidbatchd key create --name NAME --scopes read,run,admin [--prefix s3://bucket/path/]... [--model "
    "MODEL]...\n"
    "                            [--monthly-budget AMOUNT] [--expires-at TIME]\n"
    "       vidbatchd key list\n"
    "       vidbatchd key revoke key_...      (or the key itself, which is not shown)\n"
    "       vidbatchd key generate      (a key for VIDBATCH_BOOTSTRAP_KEY, without a database)\n";

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "vidbatchd key: %s: %s\n%s", what, why, usage);
    return 2;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "vidbatchd key: %s\n", err->what);
    return 1;
}

static bool audit(struct db *db, const char *action, int64_t id, struct err *err)
{
    char subject[ID_SIZE], host[HOST_NAME_MAX + 1] = "", from[HOST_NAME_MAX + 100];
    const struct passwd *user = getpwuid(geteuid()); /* this process has one thread */
    const struct audit_row row = { .who = "cli", .action = action, .subject = subject, .address = from };

    (void)gethostname(host, sizeof host - 1);
    snprintf(from, sizeof from, "%.80s@%s", user ? user->pw_name : "somebody", host);
    id_format(ID_KEY, id, subject);
    return audit_store_add(db, &row, err);
}

/* Asked when the words of the command are good. */
static bool has_tables(struct db *db, struct err *err)
{
    int database = 0, build = 0;

    if (!migrate_status(db, &database, &build, err))
        return false;
    if (database >= build)
        return true;
    return err_set(err, ERR_CONFLICT, false, HERE,
                   database == 0 ? "the database has no tables of vidbatch yet; vidbatchd migrate makes them"
                                 : "the database is an earlier version's; vidbatchd migrate brings it to this one's");
}

/* ---- create ---- */

static const char *take_scopes(struct key_input *in, struct span list)
{
    const char *rule = NULL;

    while (!rule && list.len > 0) {
        const struct span one = span_head(list, span_find(list, ','));

        rule = key_input_scope(in, one);
        list = span_tail(list, one.len + 1);
    }
    return rule;
}

static const char *take_expiry(struct key_input *in, struct span text)
{
    return key_input_expiry(in, text, clock_wall_ms());
}

/* NULL: it is good. */
static const char *take_option(struct key_input *in, const char *option, const char *value)
{
    static const struct {
        const char *name;
        const char *(*take)(struct key_input *, struct span);
    } options[] = { { "--name", key_input_name },
                    { "--scopes", take_scopes },
                    { "--prefix", key_input_prefix },
                    { "--model", key_input_model },
                    { "--monthly-budget", key_input_budget },
                    { "--expires-at", take_expiry } };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(option, options[i].name) == 0)
            return value ? options[i].take(in, span_of(value)) : "It needs a value.";
    return "There is no such option.";
}

static bool store(struct db *db, void *arg, struct err *err)
{
    const struct key_new *key = arg;
    bool added = false;

    if (!key_store_add(db, key, &added, err))
        return false;
    if (!added)
        return err_set(err, ERR_BUSY, true, HERE, "another key got the same id just now; try again");
    return audit(db, "key.create", key->id, err);
}

/* The key alone on standard output, so that a script can take it. */
static void print_key(const char *text)
{
    printf("%s\n", text);
    fprintf(stderr, "This is the only time that the key is shown; the database keeps a hash of its secret.\n");
}

static int create(struct db *db, int count, char **arguments, struct key_input *in)
{
    char text[API_KEY_SIZE];
    struct err err = { 0 };
    const char *rule = NULL;
    bool stored = false;

    for (int i = 0; i < count; i += 2) {
        rule = take_option(in, arguments[i], i + 1 < count ? arguments[i + 1] : NULL);
        if (rule)
            return refuse(arguments[i], rule);
    }
    if (!in->row.name.ptr || in->scopes.count == 0)
        return refuse("create", "--name and --scopes are needed");
    rule = key_input_end(in);
    if (rule)
        return refuse("create", rule);
    api_key_new(clock_wall_ms(), &in->row.id, text, in->row.hash);
    stored = has_tables(db, &err) && db_transaction(db, store, &in->row, &err);
    if (stored)
        print_key(text);
    api_key_wipe(text);
    return stored ? 0 : fail(&err);
}

/* ---- list, revoke, generate ---- */

static void put_time(const char *name, int64_t at_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    if (at_ms == 0)
        return;
    clock_rfc3339(at_ms, text);
    printf("  %s %s", name, text);
}

static void put_key(const struct key_row *row)
{
    const bool is_expired = row->expires_ms && row->expires_ms <= row->now_ms;
    const char *state = row->revoked_ms ? "revoked" : is_expired ? "expired" : "active";
    char id[ID_SIZE], money[MONEY_SIZE];

    id_format(ID_KEY, row->id, id);
    printf("%s  %-7s  %s  %s", id, state, row->scopes, row->name);
    if (row->prefixes)
        printf("  prefixes %s", row->prefixes);
    if (row->models)
        printf("  models %s", row->models);
    if (row->has_budget) {
        money_format(row->monthly_budget_micros, money);
        printf("  monthly budget %s", money);
    }
    put_time("created", row->created_ms);
    put_time("expires", row->expires_ms);
    put_time("last used", row->last_used_ms);
    printf("\n");
}

static int list(struct db *db)
{
    struct err err = { 0 };
    int64_t before = 0;
    int got = LIST_PAGE;

    if (!has_tables(db, &err))
        return fail(&err);
    while (got == LIST_PAGE) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!key_store_list(db, before, LIST_PAGE, &rows, &err))
            return fail(&err);
        got = rows.count;
        for (int i = 0; i < got; i++) {
            struct key_row row;

            key_row_read(&rows, i, &row);
            put_key(&row);
            before = row.id;
        }
    }
    return 0;
}

static bool revoke_one(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const int64_t *id = arg;
    struct key_row row = { 0 };
    bool revoked = false;

    return key_store_get(db, *id, &rows, &row, err) && key_store_revoke(db, *id, &revoked, err) &&
           (!revoked || audit(db, "key.revoke", *id, err));
}

/* key_..., or a whole key pasted, even one that was cut: of that only the id is read, and nothing is ever printed. */
static bool find_id(const char *text, int64_t *id)
{
    char public[ID_SIZE];

    if (id_parse(ID_KEY, span_of(text), id))
        return true;
    if (strncmp(text, "vb_", 3) != 0)
        return false;
    snprintf(public, sizeof public, "%s%.*s", ID_KEY, ID_DIGITS, text + 3);
    return id_parse(ID_KEY, span_of(public), id);
}

static int revoke_key(struct db *db, const char *text)
{
    struct err err = { 0 };
    char shown[ID_SIZE];
    int64_t id = 0;

    if (!find_id(text, &id))
        return refuse("revoke", "it is no id of a key: key_ and 11 characters, as vidbatchd key list shows them");
    id_format(ID_KEY, id, shown);
    if (has_tables(db, &err) && db_transaction(db, revoke_one, &id, &err)) {
        fprintf(stderr, "%s is revoked; a running service knows within five seconds.\n", shown);
        return 0;
    }
    if (err.kind == ERR_NOT_FOUND)
        fprintf(stderr, "vidbatchd key: there is no key %s\n", shown);
    return err.kind == ERR_NOT_FOUND ? 1 : fail(&err);
}

static int generate(void)
{
    unsigned char hash[API_KEY_HASH];
    char text[API_KEY_SIZE];
    int64_t id = 0;

    api_key_new(clock_wall_ms(), &id, text, hash);
    printf("%s\n", text);
    api_key_wipe(text);
    return 0;
}

/* ---- the whole ---- */

static int with_database(const struct config *config, int count, char **arguments)
{
    const struct db_options options = { .url = config->database_url, .application_name = "vidbatchd key" };
    struct key_input in = { 0 };
    struct err err = { 0 };
    struct db *db = db_open(&options, &err);
    int status = 2;

    if (!db)
        return fail(&err);
    if (strcmp(arguments[0], "create") == 0)
        status = create(db, count - 1, arguments + 1, &in);
    else if (strcmp(arguments[0], "list") == 0 && count == 1)
        status = list(db);
    else if (strcmp(arguments[0], "revoke") == 0 && count == 2)
        status = revoke_key(db, arguments[1]);
    else
        fputs(usage, stderr);
    key_input_done(&in);
    db_close(db);
    return status;
}

int key_cli(int count, char **arguments, config_lookup_fn *lookup)
{
    AUTO(buf_done) struct buf problems = { .max = 65536 };
    struct config config;
    bool good = false;
    int status = 2;

    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    if (count == 1 && strcmp(arguments[0], "generate") == 0)
        return generate();
    if (count == 0) {
        fputs(usage, stderr);
        return 2;
    }
    good = config_read(&config, lookup, &problems);
    if (config_require_database(&config, &problems) && good)
        status = with_database(&config, count, arguments);
    else
        fprintf(stderr, "vidbatchd: these settings are wrong:\n%s", buf_cstr(&problems));
    config_done(&config);
    return status;
}
