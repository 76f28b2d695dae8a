/* An S3 server that is not ours, and what the tests against it share. The environment says where it is:
 *   CONFORMANCE_S3_URL, CONFORMANCE_S3_KEY_ID, CONFORMANCE_S3_SECRET   endpoint and keys
 *   CONFORMANCE_S3_KEYS    about how many keys listings and deletions are tried with
 *   CONFORMANCE_S3_LACKS   words for what this server is known to do in another way than Amazon S3; the tests hold it
 * to that Every test makes buckets of its own; nothing is cleaned up, the servers live as long as the run. */
#ifndef VIDBATCH_TESTS_CONFORMANCE_STORE_H
#define VIDBATCH_TESTS_CONFORMANCE_STORE_H

#include "aws/client.h"
#include "aws/s3.h"
#include "server/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct store {
    struct aws *aws;
    struct aws_client *client;
    char bucket[64];
};

/* A client and a new bucket. False, and a failed check, when that cannot be had. Zeroed memory is a closed store. */
MUST_CHECK bool store_open(struct store *s);
/* The same client with other keys, without a bucket. */
MUST_CHECK bool store_open_as(struct store *s, const char *key_id, const char *secret);
void store_close(struct store *s);
/* One more bucket; its name goes to out. */
MUST_CHECK bool store_make_bucket(struct store *s, char out[64]);
/* Is this word among CONFORMANCE_S3_LACKS? */
bool store_lacks(const char *word);

/* Keys that go wrong where somebody encodes, splits or normalizes: raw text, in no order. */
extern const char *const odd_keys[];
extern const size_t odd_key_count;
/* 1,024 bytes, the longest there is. Static text. */
const char *longest_key(void);

/* An object of the store's bucket. */
struct s3_ref store_ref(const struct store *s, const char *key);
/* Bytes that differ from place to place; gives: free. */
char *store_bytes(size_t len, unsigned seed);
/* Puts text/plain; a failed check where that fails. */
bool store_put(struct store *s, const char *key, struct span body);
/* A check that the object has just these bytes. */
bool store_holds(struct store *s, const char *key, struct span body);
/* A check that an error is of that kind, and prints it if it is not. */
bool store_failed_as(const struct err *err, enum err_kind kind, const char *upstream_code);
/* A check that went well; prints the error otherwise. */
bool store_is_ok(bool ok, const struct err *err, const char *what);

#endif
