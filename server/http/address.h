/* Internet addresses, and who may speak for others. Pure: no I/O, no globals, any bytes. For server/http, the
 * settings, and their tests. */
#ifndef VIDBATCH_HTTP_ADDRESS_H
#define VIDBATCH_HTTP_ADDRESS_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_SIZE = 48 /* an IPv6 address and its terminator are 46 */ };

/* IPv6; an IPv4 address is ::ffff:a.b.c.d, so that a client is one client whichever way it comes. All zero: unknown. */
struct address {
    uint8_t bytes[16];
};
bool address_is_known(const struct address *a);
/* Unknown for other families. addr may be NULL. */
struct address address_of_socket(const struct sockaddr *addr);
/* "192.0.2.7", "2001:db8::1"; "" where it is unknown. */
void address_text(const struct address *a, char out[ADDRESS_SIZE]);
/* Also with a port, as forwarders write it: "192.0.2.7:4711", "[2001:db8::1]:4711", "[2001:db8::1]". */
MUST_CHECK bool address_parse(struct span text, struct address *out);

/* A set of networks, such as "10.0.0.0/8, 192.0.2.7, 2001:db8::/32". */
struct network {
    struct address base;
    unsigned bits; /* of base's 128 */
};
struct networks {
    struct network *list;
    size_t count;
};
/* Names in commas or blanks; empty text: an empty set. ERR_INPUT names the piece and the rule. ERR_MEMORY. Gives:
 * networks_done. */
MUST_CHECK bool networks_parse(struct span text, struct networks *out, struct err *err);
void networks_done(struct networks *n);
bool networks_have(const struct networks *n, const struct address *a);

/* Who sent the request that peer hands on: from the right of X-Forwarded-For (all its lines, joined with commas), each
 * trusted forwarder vouches for the entry before its own; the first that is not trusted is the client. What is no
 * address ends the walk: the client is then whoever wrote it. A peer that is not trusted speaks for itself only. */
struct address forwarded_client(const struct networks *trusted, const struct address *peer, struct span forwarded_for);

#endif
