#include "server/http/tls.h"

#include "server/base/mem.h"

#include <gnutls/x509.h>
#include <pthread.h>
#include <string.h>

enum { CHAIN_MOST = 16, KEY_ID_BYTES = 64 };

struct identity {
    gnutls_x509_crt_t *chain; /* GnuTLS's memory */
    unsigned count;
    gnutls_x509_privkey_t key;
};

struct tls {
    char *cert_file, *key_file;
    pthread_mutex_t lock; /* guards what follows; held while a handshake copies it */
    struct identity now;
};

/* ---- what the files hold ---- */

static void identity_done(struct identity *id)
{
    for (unsigned i = 0; i < id->count; i++)
        gnutls_x509_crt_deinit(id->chain[i]);
    gnutls_free(id->chain);
    gnutls_x509_privkey_deinit(id->key);
    *id = (struct identity){ 0 };
}

static bool load(const char *file, gnutls_datum_t *out, struct err *err)
{
    int rc = gnutls_load_file(file, out);

    return rc == 0 || err_set(err, ERR_INPUT, false, HERE, "%s cannot be read", file);
}

static bool read_chain(const char *file, struct identity *id, struct err *err)
{
    gnutls_datum_t pem = { 0 };
    int rc = 0;

    if (!load(file, &pem, err))
        return false;
    rc = gnutls_x509_crt_list_import2(&id->chain, &id->count, &pem, GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(pem.data);
    if (rc < 0)
        id->count = 0;
    if (rc < 0 || id->count == 0)
        return err_set(err, ERR_INPUT, false, HERE, "%s holds no certificate in PEM: %s", file, gnutls_strerror(rc));
    if (id->count > CHAIN_MOST)
        return err_set(err, ERR_INPUT, false, HERE, "%s holds %u certificates; a chain has at most %d", file, id->count,
                       CHAIN_MOST);
    return true;
}

static bool read_key(const char *file, struct identity *id, struct err *err)
{
    gnutls_datum_t pem = { 0 };
    int rc = 0;

    if (!load(file, &pem, err))
        return false;
    rc = gnutls_x509_privkey_init(&id->key);
    if (rc == 0)
        rc = gnutls_x509_privkey_import2(id->key, &pem, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return rc == 0 || err_set(err, ERR_INPUT, false, HERE, "%s holds no private key in PEM without passphrase: %s",
                              file, gnutls_strerror(rc));
}

static bool belong_together(const struct identity *id)
{
    unsigned char of_cert[KEY_ID_BYTES], of_key[KEY_ID_BYTES];
    size_t cert_len = sizeof of_cert, key_len = sizeof of_key;

    return gnutls_x509_crt_get_key_id(id->chain[0], GNUTLS_KEYID_USE_SHA256, of_cert, &cert_len) == 0 &&
           gnutls_x509_privkey_get_key_id(id->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_len) == 0 &&
           cert_len == key_len && memcmp(of_cert, of_key, key_len) == 0;
}

static bool read_identity(const struct tls *t, struct identity *out, struct err *err)
{
    struct identity id = { 0 };

    if (!read_chain(t->cert_file, &id, err) || !read_key(t->key_file, &id, err)) {
        identity_done(&id);
        return false;
    }
    if (!belong_together(&id)) {
        identity_done(&id);
        return err_set(err, ERR_INPUT, false, HERE, "the key in %s is not that of the first certificate in %s",
                       t->key_file, t->cert_file);
    }
    *out = id;
    return true;
}

/* ---- the whole ---- */

bool tls_new(const char *cert_file, const char *key_file, struct tls **out, struct err *err)
{
    struct tls *t = mem_alloc(1, sizeof *t);

    if (!t)
        return err_memory(err, HERE);
    (void)pthread_mutex_init(&t->lock, NULL);
    t->cert_file = mem_text(cert_file);
    t->key_file = mem_text(key_file);
    if (!t->cert_file || !t->key_file) {
        tls_free(t);
        return err_memory(err, HERE);
    }
    if (!read_identity(t, &t->now, err)) {
        tls_free(t);
        return false;
    }
    *out = t;
    return true;
}

bool tls_reload(struct tls *t, struct err *err)
{
    struct identity next = { 0 }, before = { 0 };

    if (!read_identity(t, &next, err))
        return false;
    pthread_mutex_lock(&t->lock);
    before = t->now;
    t->now = next;
    pthread_mutex_unlock(&t->lock);
    identity_done(&before);
    return true;
}

int64_t tls_expires_at_s(struct tls *t)
{
    int64_t at_s = 0;

    pthread_mutex_lock(&t->lock);
    at_s = gnutls_x509_crt_get_expiration_time(t->now.chain[0]);
    pthread_mutex_unlock(&t->lock);
    return at_s;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    identity_done(&t->now);
    (void)pthread_mutex_destroy(&t->lock);
    mem_free(t->cert_file);
    mem_free(t->key_file);
    mem_free(t);
}

/* ---- handshakes ---- */

static bool copy_chain(const struct identity *id, gnutls_pcert_st **out)
{
    gnutls_pcert_st *certs = gnutls_calloc(id->count, sizeof *certs);
    unsigned i = 0;

    while (certs && i < id->count && gnutls_pcert_import_x509(&certs[i], id->chain[i], 0) == 0)
        i++;
    if (certs && i == id->count) {
        *out = certs;
        return true;
    }
    while (i > 0)
        gnutls_pcert_deinit(&certs[--i]);
    gnutls_free(certs);
    return false;
}

static bool copy_key(const struct identity *id, gnutls_privkey_t *out)
{
    gnutls_privkey_t key = NULL;

    if (gnutls_privkey_init(&key) != 0)
        return false;
    if (gnutls_privkey_import_x509(key, id->key, GNUTLS_PRIVKEY_IMPORT_COPY) != 0) {
        gnutls_privkey_deinit(key);
        return false;
    }
    *out = key;
    return true;
}

int tls_present(struct tls *t, gnutls_pcert_st **certs, unsigned *cert_count, gnutls_privkey_t *key, unsigned *flags)
{
    gnutls_privkey_t own = NULL;
    bool ok = false;

    pthread_mutex_lock(&t->lock);
    if (copy_key(&t->now, &own)) {
        ok = copy_chain(&t->now, certs);
        *cert_count = t->now.count;
    }
    pthread_mutex_unlock(&t->lock);
    if (!ok) {
        if (own)
            gnutls_privkey_deinit(own);
        return -1;
    }
    *key = own;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}
