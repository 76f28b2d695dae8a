/* API keys as text: vb_<id>_<secret><checksum>, 51 characters.
 *   id        11 characters [0-9A-Za-z]: the digits of the public id key_...
 *   secret    30 of them from the system's random source, 178 bits; only its SHA-256 is kept anywhere
 *   checksum  6 of them: CRC-32 of all that stands before it, in base 62
 * So a mistyped key is refused without a question to the database, and programs that look for leaked secrets know one
 * by its form: vb_[0-9A-Za-z]{11}_[0-9A-Za-z]{36}. */
#ifndef VIDBATCH_BASE_API_KEY_H
#define VIDBATCH_BASE_API_KEY_H

#include "server/base/attr.h"
#include "server/base/id.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    API_KEY_SECRET = 30,
    API_KEY_CHECKSUM = 6,
    API_KEY_LENGTH = 3 + ID_DIGITS + 1 + API_KEY_SECRET + API_KEY_CHECKSUM,
    API_KEY_SIZE = API_KEY_LENGTH + 1, /* with the terminator */
    API_KEY_HASH = 32
};

/* A new key: its id from now_ms (wall clock) and 22 random bits, its secret, and the secret's hash. The text is the
 * only copy: show it once, then api_key_wipe. Any thread. */
void api_key_new(int64_t now_ms, int64_t *id, char text[API_KEY_SIZE], unsigned char hash[API_KEY_HASH]);
/* A new secret for an id that exists. */
void api_key_renew(int64_t id, char text[API_KEY_SIZE], unsigned char hash[API_KEY_HASH]);
/* False, nothing written, where the text is no whole key or its checksum is wrong. Pure. Any thread. */
MUST_CHECK bool api_key_parse(struct span text, int64_t *id, unsigned char hash[API_KEY_HASH]);
/* Takes as long whatever the two hold. */
bool api_key_hash_equal(const unsigned char one[API_KEY_HASH], const unsigned char other[API_KEY_HASH]);
void api_key_wipe(char text[API_KEY_SIZE]);

#endif
