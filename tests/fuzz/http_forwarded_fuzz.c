/* Lists of networks and X-Forwarded-For: the first line is who is trusted, the rest who is said to have asked. A peer
 * that is not trusted is believed nothing but itself; an address that is read can be written and read again. */
#include "server/http/address.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span all = { (const char *)data, len };
    struct span list = span_head(all, span_find(all, '\n'));
    struct span header = span_tail(all, list.len + 1);
    struct networks trusted = { 0 };
    struct address peer = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 1 } };
    struct address client, again;
    struct err err = { 0 };
    char text[ADDRESS_SIZE];

    if (!networks_parse(list, &trusted, &err))
        return 0;
    client = forwarded_client(&trusted, &peer, header);
    if (!networks_have(&trusted, &peer) && memcmp(&client, &peer, sizeof peer) != 0)
        abort();
    address_text(&client, text);
    if (address_is_known(&client) && (!address_parse(span_of(text), &again) || memcmp(&again, &client, sizeof again)))
        abort();
    networks_done(&trusted);
    return 0;
}
