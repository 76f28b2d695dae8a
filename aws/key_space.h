/* Distances between S3 keys, and where to cut the keys between two of them. S3 lists keys in the order of their UTF-8
 * bytes, which is that of their characters; so a key is a number whose digits are the characters that have been seen in
 * keys so far, behind the prefix that all share. Distances span hundreds of orders of magnitude and are kept as
 * logarithms. Pure: no I/O, no memory of its own. */
#ifndef VIDBATCH_AWS_KEY_SPACE_H
#define VIDBATCH_AWS_KEY_SPACE_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_SPACE_CHARACTERS = 1024 };
struct key_space {
    size_t prefix_len;                         /* bytes that all keys share */
    uint32_t characters[KEY_SPACE_CHARACTERS]; /* seen, in order: no controls, no '%'; beyond ASCII one for all 32 */
    unsigned count;
};

void key_space_init(struct key_space *space, size_t prefix_len);
/* Learns the characters of a key. */
void key_space_note(struct key_space *space, struct span key);

/* memcmp order, a key before all that it begins. */
int key_compare(struct span a, struct span b);

/* Natural logarithm of the distance from low to high, where the whole space behind the prefix is 0 = ln 1; high.ptr
 * NULL is the end of the space. -HUGE_VAL where it cannot be told from nothing. */
double key_distance(const struct key_space *space, struct span low, struct span high);

/* Writes to out a key strictly between low and high (ptr NULL: the end), about `ln_ahead` behind low. It is valid
 * UTF-8, at most 1,024 bytes, and has neither a control character nor '%' behind the prefix: it travels in a query and
 * comes back in XML. False where no such key is found; out is then undefined. */
MUST_CHECK bool key_cut(const struct key_space *space, struct span low, struct span high, double ln_ahead,
                        struct buf *out);

#endif
