#include "tests/support/tls_identity.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "tls_identity: %s\n", what);
    abort();
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension && X509_add_ext(cert, extension, -1), value);
    X509_EXTENSION_free(extension);
}

/* Signed by itself: the same certificate is the server's and the authority's. */
static X509 *make_certificate(EVP_PKEY *key, const char *names)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;

    must(subject != NULL, "no certificate");
    must(X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), "serial number");
    must(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) && X509_gmtime_adj(X509_getm_notAfter(cert), 86400), "days");
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"vidbatch test", -1, -1, 0) &&
             X509_set_issuer_name(cert, subject) && X509_set_pubkey(cert, key),
         "subject");
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_subject_alt_name, names);
    must(X509_sign(cert, key, EVP_sha256()) > 0, "signing");
    return cert;
}

static void write_file(struct tls_identity *id, X509 *cert)
{
    int fd;
    FILE *file;

    strcpy(id->ca_file, "/tmp/vidbatch-ca-XXXXXX");
    fd = mkstemp(id->ca_file);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    must(file && PEM_write_X509(file, cert) && fclose(file) == 0, id->ca_file);
}

void tls_identity_make(struct tls_identity *id, const char *names)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert;

    must(key != NULL, "no key");
    cert = make_certificate(key, names);
    id->server = SSL_CTX_new(TLS_server_method());
    must(id->server && SSL_CTX_use_certificate(id->server, cert) == 1 && SSL_CTX_use_PrivateKey(id->server, key) == 1,
         "no context");
    write_file(id, cert);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void tls_identity_done(struct tls_identity *id)
{
    SSL_CTX_free(id->server);
    if (id->ca_file[0])
        unlink(id->ca_file);
    *id = (struct tls_identity){ 0 };
}
