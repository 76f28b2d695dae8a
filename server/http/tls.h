/* The server's certificate and key, which can be changed while connections are served. Private to server/http and its
 * tests. */
#ifndef VIDBATCH_HTTP_TLS_H
#define VIDBATCH_HTTP_TLS_H

#include "server/base/attr.h"
#include "server/base/err.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

struct tls;
/* TLS 1.2 and 1.3, with GnuTLS's usual ciphers. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Reads the chain (PEM, the server's own certificate first) and the key (PEM, without passphrase). ERR_INPUT: names the
 * file and what is wrong. Keeps copies of the names. Gives: tls_free. */
MUST_CHECK bool tls_new(const char *cert_file, const char *key_file, struct tls **out, struct err *err);
/* Reads both again, for handshakes from now on; connections that are there go on. False: all stays as it was. Any
 * thread. */
MUST_CHECK bool tls_reload(struct tls *t, struct err *err);
/* When the server's own certificate runs out, in seconds since 1970. Any thread. */
int64_t tls_expires_at_s(struct tls *t);
void tls_free(struct tls *t);

/* For gnutls_certificate_retrieve_function3: copies, which GnuTLS frees after the handshake, so that a reload takes
 * nothing from under it. 0, or -1. Any thread. */
int tls_present(struct tls *t, gnutls_pcert_st **certs, unsigned *cert_count, gnutls_privkey_t *key, unsigned *flags);

#endif
