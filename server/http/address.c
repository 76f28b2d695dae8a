#include "server/http/address.h"

#include "server/base/mem.h"
#include "server/base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };
enum { V4_BITS = 96, ALL_BITS = 128 };

static bool is_v4(const struct address *a)
{
    return memcmp(a->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

static struct address from_v4(const void *four)
{
    struct address a;

    memcpy(a.bytes, v4_prefix, sizeof v4_prefix);
    memcpy(a.bytes + sizeof v4_prefix, four, 4);
    return a;
}

bool address_is_known(const struct address *a)
{
    static const struct address unknown;

    return memcmp(a, &unknown, sizeof unknown) != 0;
}

struct address address_of_socket(const struct sockaddr *addr)
{
    struct address a = { 0 };

    if (addr && addr->sa_family == AF_INET)
        return from_v4(&((const struct sockaddr_in *)(const void *)addr)->sin_addr);
    if (addr && addr->sa_family == AF_INET6)
        memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, sizeof a.bytes);
    return a;
}

void address_text(const struct address *a, char out[ADDRESS_SIZE])
{
    bool v4 = is_v4(a);

    if (!address_is_known(a) ||
        !inet_ntop(v4 ? AF_INET : AF_INET6, a->bytes + (v4 ? sizeof v4_prefix : 0), out, ADDRESS_SIZE))
        out[0] = '\0';
}

static bool parse_plain(struct span text, struct address *out)
{
    char copy[ADDRESS_SIZE];
    uint8_t four[4];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, four) == 1) {
        *out = from_v4(four);
        return true;
    }
    return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

static bool is_port(struct span text)
{
    int64_t port = 0;

    return text_parse_i64(text, &port) && port >= 0 && port <= 65535;
}

bool address_parse(struct span text, struct address *out)
{
    size_t colon = span_find(text, ':');

    if (text.len > 0 && text.ptr[0] == '[') {
        size_t end = span_find(text, ']');
        struct span rest = span_tail(text, end + 1);

        if (end == text.len || (rest.len > 0 && (rest.ptr[0] != ':' || !is_port(span_tail(rest, 1)))))
            return false;
        return parse_plain((struct span){ text.ptr + 1, end - 1 }, out) && !is_v4(out);
    }
    /* One colon is a port's; an IPv6 address has more. */
    if (colon < text.len && span_find(span_tail(text, colon + 1), ':') == text.len - colon - 1)
        return is_port(span_tail(text, colon + 1)) && parse_plain(span_head(text, colon), out);
    return parse_plain(text, out);
}

/* ---- networks ---- */

/* The next piece between commas and blanks; empty at the end. */
static struct span take_piece(struct span *rest)
{
    size_t n = 0;
    struct span piece;

    while (rest->len > 0 && strchr(", \t", rest->ptr[0]))
        *rest = span_tail(*rest, 1);
    while (n < rest->len && !strchr(", \t", rest->ptr[n]))
        n++;
    piece = span_head(*rest, n);
    *rest = span_tail(*rest, n);
    return piece;
}

static bool has_bits_behind(const struct network *n)
{
    for (unsigned i = n->bits; i < ALL_BITS; i++)
        if ((n->base.bytes[i / 8] & 0x80U >> i % 8) != 0)
            return true;
    return false;
}

static bool parse_network(struct span piece, struct network *out, struct err *err)
{
    size_t slash = span_find(piece, '/');
    int64_t bits = 0;
    bool v4 = false;

    if (!parse_plain(span_head(piece, slash), &out->base))
        return err_set(err, ERR_INPUT, false, HERE, "%.*s is no address or network, such as 10.0.0.0/8 or 2001:db8::1",
                       SPAN_ARG(span_head(piece, 60)));
    v4 = is_v4(&out->base);
    out->bits = ALL_BITS;
    if (slash == piece.len)
        return true;
    if (!text_parse_i64(span_tail(piece, slash + 1), &bits) || bits < 0 || bits > (v4 ? 32 : ALL_BITS))
        return err_set(err, ERR_INPUT, false, HERE, "%.*s: behind the slash stands a number from 0 to %d",
                       SPAN_ARG(span_head(piece, 60)), v4 ? 32 : ALL_BITS);
    out->bits = (unsigned)bits + (v4 ? V4_BITS : 0);
    if (has_bits_behind(out))
        return err_set(err, ERR_INPUT, false, HERE, "%.*s has bits set behind the first %d", SPAN_ARG(piece),
                       (int)bits);
    return true;
}

bool networks_parse(struct span text, struct networks *out, struct err *err)
{
    struct networks n = { 0 };
    struct span rest = text;
    struct span piece = take_piece(&rest);

    for (; piece.len > 0; piece = take_piece(&rest)) {
        struct network *more = mem_resize(n.list, n.count + 1, sizeof *more);

        if (!more) {
            networks_done(&n);
            return err_memory(err, HERE);
        }
        n.list = more;
        if (!parse_network(piece, &n.list[n.count], err)) {
            networks_done(&n);
            return false;
        }
        n.count++;
    }
    *out = n;
    return true;
}

void networks_done(struct networks *n)
{
    mem_free(n->list);
    *n = (struct networks){ 0 };
}

static bool is_in(const struct network *n, const struct address *a)
{
    unsigned bytes = n->bits / 8;
    unsigned mask = 0xFF00U >> n->bits % 8 & 0xFFU;

    return memcmp(n->base.bytes, a->bytes, bytes) == 0 &&
           (mask == 0 || ((n->base.bytes[bytes] ^ a->bytes[bytes]) & mask) == 0);
}

bool networks_have(const struct networks *n, const struct address *a)
{
    for (size_t i = 0; i < n->count; i++)
        if (is_in(&n->list[i], a))
            return true;
    return false;
}

/* ---- forwarders ---- */

struct address forwarded_client(const struct networks *trusted, const struct address *peer, struct span forwarded_for)
{
    struct address client = *peer;
    struct span rest = forwarded_for;

    while (rest.len > 0 && networks_have(trusted, &client)) {
        size_t from = rest.len;
        struct address next;

        while (from > 0 && rest.ptr[from - 1] != ',')
            from--;
        if (!address_parse(span_trim(span_tail(rest, from)), &next))
            break;
        client = next;
        rest = span_head(rest, from > 0 ? from - 1 : 0);
    }
    return client;
}
