/* Addresses, networks, and whom X-Forwarded-For names. */
#include "server/http/address.h"

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void addresses_are_read(void)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } cases[] = {
        { "192.0.2.7", "192.0.2.7" },
        { "192.0.2.7:4711", "192.0.2.7" },
        { "::ffff:192.0.2.7", "192.0.2.7" },
        { "2001:DB8::1", "2001:db8::1" },
        { "[2001:db8::1]", "2001:db8::1" },
        { "[2001:db8::1]:443", "2001:db8::1" },
        { "::1", "::1" },
        { "", NULL },
        { "unknown", NULL },
        { "_hidden", NULL },
        { "192.0.2.7:", NULL },
        { "192.0.2.7:99999", NULL },
        { "192.0.2.7:http", NULL },
        { "192.0.2", NULL },
        { "192.0.2.256", NULL },
        { "192.0.2.7 ", NULL },
        { "[192.0.2.7]", NULL },
        { "[2001:db8::1", NULL },
        { "[2001:db8::1]x", NULL },
        { "[2001:db8::1]:x", NULL },
        { "[]", NULL },
        { "[", NULL },
        { ":", NULL },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a;
        char text[ADDRESS_SIZE] = "";
        bool ok = address_parse(span_of(cases[i].in), &a);

        test_case("%s", cases[i].in);
        CHECK(ok == (cases[i].want != NULL));
        if (ok)
            address_text(&a, text);
        CHECK_TEXT(text, cases[i].want ? cases[i].want : "");
    }
}

static void sockets_have_addresses(void)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct address a;
    char text[ADDRESS_SIZE];

    (void)inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
    a = address_of_socket((const struct sockaddr *)(const void *)&v4);
    address_text(&a, text);
    CHECK_TEXT(text, "192.0.2.7");
    (void)inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
    a = address_of_socket((const struct sockaddr *)(const void *)&v6);
    address_text(&a, text);
    CHECK_TEXT(text, "192.0.2.7");
    a = address_of_socket(&other);
    CHECK(!address_is_known(&a));
    a = address_of_socket(NULL);
    address_text(&a, text);
    CHECK_TEXT(text, "");
}

static void networks_are_read(void)
{
    static const struct {
        const char *list, *address;
        bool inside;
        const char *says; /* NULL: the list is good */
    } cases[] = {
        { "", "192.0.2.7", false, NULL },
        { "192.0.2.7", "192.0.2.7", true, NULL },
        { "192.0.2.7", "192.0.2.8", false, NULL },
        { "10.0.0.0/8,192.0.2.0/25", "192.0.2.127", true, NULL },
        { "10.0.0.0/8,192.0.2.0/25", "192.0.2.128", false, NULL },
        { " 10.0.0.0/8  2001:db8::/33 ", "2001:db8:7fff::1", true, NULL },
        { " 10.0.0.0/8  2001:db8::/33 ", "2001:db8:8000::1", false, NULL },
        { "0.0.0.0/0", "203.0.113.1", true, NULL },
        { "0.0.0.0/0", "2001:db8::1", false, NULL },
        { "::/0", "203.0.113.1", true, NULL },
        { "::1/128", "::1", true, NULL },
        { "10.0.0.1/8", "", false, "bits set behind the first 8" },
        { "10.0.0.0/33", "", false, "a number from 0 to 32" },
        { "::/129", "", false, "a number from 0 to 128" },
        { "10.0.0.0/", "", false, "a number from 0 to 32" },
        { "10.0.0.0/-1", "", false, "a number from 0 to 32" },
        { "10.0.0.0/8;10.1.0.0/16", "", false, "a number" },
        { "localhost", "", false, "no address or network" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct networks n = { 0 };
        struct err err = { 0 };
        struct address a = { 0 };
        bool ok = networks_parse(span_of(cases[i].list), &n, &err);

        test_case("%s in %s", cases[i].address, cases[i].list);
        CHECK(ok == !cases[i].says);
        if (ok) {
            CHECK(address_parse(span_of(cases[i].address), &a));
            CHECK(networks_have(&n, &a) == cases[i].inside);
        } else {
            CHECK_I64(err.kind, ERR_INPUT);
            CHECK(__builtin_strstr(err.what, cases[i].says) != NULL);
        }
        networks_done(&n);
    }
}

static void forwarders_are_believed_when_trusted(void)
{
    static const struct {
        const char *trusted, *peer, *header, *want;
    } cases[] = {
        { "", "203.0.113.1", "198.51.100.1", "203.0.113.1" },
        { "10.0.0.0/8", "203.0.113.1", "198.51.100.1", "203.0.113.1" },
        { "10.0.0.0/8", "10.0.0.1", "", "10.0.0.1" },
        { "10.0.0.0/8", "10.0.0.1", "198.51.100.1", "198.51.100.1" },
        { "10.0.0.0/8", "10.0.0.1", "198.51.100.1:5000", "198.51.100.1" },
        /* what a client invents stands on the left of what the forwarder saw */
        { "10.0.0.0/8", "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1" },
        { "10.0.0.0/8", "10.0.0.1", "1.1.1.1,198.51.100.1, 10.0.0.2 ,10.0.0.3", "198.51.100.1" },
        { "10.0.0.0/8", "10.0.0.1", "10.0.0.2,10.0.0.3", "10.0.0.2" },
        { "10.0.0.0/8", "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1" },
        { "10.0.0.0/8", "10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2" },
        { "10.0.0.0/8", "10.0.0.1", ",,", "10.0.0.1" },
        { "10.0.0.0/8,2001:db8::/32", "2001:db8::1", "[2001:4860::8]:1", "2001:4860::8" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct networks n = { 0 };
        struct err err = { 0 };
        struct address peer = { 0 }, client;
        char text[ADDRESS_SIZE];

        test_case("%s by %s", cases[i].header, cases[i].peer);
        CHECK(networks_parse(span_of(cases[i].trusted), &n, &err));
        CHECK(address_parse(span_of(cases[i].peer), &peer));
        client = forwarded_client(&n, &peer, span_of(cases[i].header));
        address_text(&client, text);
        CHECK_TEXT(text, cases[i].want);
        networks_done(&n);
    }
}

static const struct test tests[] = {
    { "addresses are read", addresses_are_read },
    { "sockets have addresses", sockets_have_addresses },
    { "networks are read", networks_are_read },
    { "forwarders are believed when trusted", forwarders_are_believed_when_trusted },
};

TEST_MAIN("http/address", tests)
