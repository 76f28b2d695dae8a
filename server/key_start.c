#include "server/key_start.h"

#include "server/base/log.h"
#include "sql/audit_store.h"

struct bootstrap {
    struct key_new key;
    bool added;
};

static bool add_bootstrap(struct db *db, void *arg, struct err *err)
{
    struct bootstrap *bootstrap = arg;
    char subject[ID_SIZE];
    const struct audit_row row = {
        .key_id = bootstrap->key.id, .who = "bootstrap", .action = "key.create", .subject = subject
    };

    id_format(ID_KEY, bootstrap->key.id, subject);
    return key_store_add(db, &bootstrap->key, &bootstrap->added, err) &&
           (!bootstrap->added || audit_store_add(db, &row, err));
}

/* It was there: does what the environment holds still open anything? */
static bool say_whether_good(struct db *db, const struct key_new *key, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct key_row row = { 0 };
    struct err why = { 0 };
    struct grant *grant = NULL;

    if (!key_store_get(db, key->id, &rows, &row, err))
        return false;
    grant = grant_new(&row, err);
    if (!grant)
        return false;
    if (!grant_judge(grant, key->hash, row.now_ms, &why))
        log_warn("key.bootstrap_is_over", "code=%s note='VIDBATCH_BOOTSTRAP_KEY opens nothing; remove it'", why.code);
    grant_unref(grant);
    return true;
}

static bool store_bootstrap(struct db *db, const struct config *config, struct err *err)
{
    struct bootstrap bootstrap = { .key = { .name = SPAN_LIT("bootstrap"), .scopes = SPAN_LIT("[\"admin\"]") } };
    char subject[ID_SIZE];

    if (!api_key_parse(span_of(config->bootstrap_key), &bootstrap.key.id, bootstrap.key.hash))
        return err_set(err, ERR_INTERNAL, false, HERE, "the bootstrap key was not judged"); /* config_judge did */
    if (!db_transaction(db, add_bootstrap, &bootstrap, err))
        return false;
    if (!bootstrap.added)
        return say_whether_good(db, &bootstrap.key, err);
    id_format(ID_KEY, bootstrap.key.id, subject);
    log_info("key.bootstrap_stored", "key=%s", subject);
    return true;
}

static bool check_listen(struct db *db, const struct config *config, struct err *err)
{
    bool any = false;

    if (!key_store_any(db, &any, err))
        return false;
    return any ||
           err_set(err, ERR_INPUT, false, HERE,
                   "VIDBATCH_LISTEN=%s: there is no API key yet, so only a loopback address may be served. Make "
                   "one (vidbatchd key create, or VIDBATCH_BOOTSTRAP_KEY), or set VIDBATCH_ALLOW_OPEN=true where "
                   "something in front of the service asks who comes",
                   config->listen);
}

bool key_start(const struct config *config, struct keyring **ring, struct err *err)
{
    const struct db_options options = { .url = config->database_url, .application_name = "vidbatchd keys" };
    const struct keyring_options keyring = { .must_ask = !config_is_loopback(config) && !config->allow_open };
    struct db *db = NULL;
    bool ok = true;

    if (config->bootstrap_key[0] || keyring.must_ask) {
        db = db_open(&options, err);
        ok = db && (!config->bootstrap_key[0] || store_bootstrap(db, config, err)) &&
             (!keyring.must_ask || check_listen(db, config, err));
        db_close(db);
    }
    if (!ok)
        return false;
    *ring = keyring_new(&keyring, err);
    return *ring != NULL;
}
