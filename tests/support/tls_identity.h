/* A certificate made at test time, good for a day: a TLS server's identity and the bundle that trusts it. */
#ifndef VIDBATCH_TESTS_SUPPORT_TLS_IDENTITY_H
#define VIDBATCH_TESTS_SUPPORT_TLS_IDENTITY_H

#include <openssl/ssl.h>

struct tls_identity {
    SSL_CTX *server;
    char ca_file[32]; /* the certificate, as PEM */
};

/* names: what the certificate is for, "DNS:a.test,IP:127.0.0.1". Aborts when OpenSSL or the disk refuses. */
void tls_identity_make(struct tls_identity *id, const char *names);
/* Frees and deletes the file; after the servers that use it have stopped. */
void tls_identity_done(struct tls_identity *id);

#endif
