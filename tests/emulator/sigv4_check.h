/* Checks Signature Version 4 as a server does: from the bytes that came in. Written on its own, without the project's
 * signer, so that the two vouch for each other. Pure: no I/O, no clock, no globals. Any thread. */
#ifndef VIDBATCH_EMULATOR_SIGV4_CHECK_H
#define VIDBATCH_EMULATOR_SIGV4_CHECK_H

#include "server/base/buf.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sig_header {
    const char *name; /* lower case */
    const char *value;
};

/* What is signed. Everything borrowed. */
struct sig_input {
    const char *method;
    struct span raw_path;
    struct span raw_query;
    const struct sig_header *headers; /* in order of appearance */
    size_t header_count;
};

/* What the request says about its own signature. */
struct sig_claim {
    bool present;    /* it tries to be signed */
    const char *bad; /* why the claim cannot be read; static text, NULL: well-formed */
    bool presigned;
    char access_key[132];
    char date[9];
    char region[40];
    char service[24];
    char timestamp[20];
    int64_t time_ms;
    int64_t expires_s; /* presigned only */
    char signed_headers[2048];
    char signature[65];
    char token[4096];
};

struct sig_account {
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* NULL: long-lived credentials, a token is refused */
    bool is_expired;           /* the token was good once */
};

enum sig_result {
    SIG_OK,
    SIG_MISSING,
    SIG_MALFORMED,
    SIG_UNKNOWN_KEY,
    SIG_BAD_TOKEN,
    SIG_EXPIRED_TOKEN,
    SIG_SKEWED,
    SIG_EXPIRED_URL,
    SIG_UNSIGNED_HEADER, /* an x-amz-* header, or host, that the signature does not cover */
    SIG_MISMATCH
};

/* For messages: what we signed. */
struct sig_report {
    struct buf canonical;
    struct buf string_to_sign;
};

/* Reads Authorization or the X-Amz-* query. */
void sig_read_claim(const struct sig_input *in, struct sig_claim *claim);
/* payload_hash: as it stands in the canonical request. report: caller's, both buffers initialised. */
enum sig_result sig_verify(const struct sig_input *in, const struct sig_claim *claim, const struct sig_account *account,
                           const char *payload_hash, int64_t now_ms, int64_t window_ms, struct sig_report *report);

/* The signing key of the claim's scope. */
void sig_signing_key(const struct sig_claim *claim, const char *secret_key, unsigned char key[32]);
/* Lower-case hex of HMAC-SHA256(key, text). */
void sig_hmac_hex(const unsigned char key[32], struct span text, char out[65]);

#endif
