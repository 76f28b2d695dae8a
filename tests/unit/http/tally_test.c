/* Who has what open, and who asks too much; the clock is the test's. */
#include "server/http/tally.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

static struct tally t;

static struct client_id address(const char *text)
{
    struct address a = { 0 };

    CHECK(address_parse(span_of(text), &a));
    return client_of_address(&a);
}

static int entries(void)
{
    int n = 0;

    for (int i = 0; i < TALLY_SLOTS; i++)
        n += t.slots[i] != NULL;
    return n;
}

static void open_things_are_counted_by_client(void)
{
    const struct client_id one = address("192.0.2.1"), two = address("192.0.2.2");

    tally_init(&t, &(struct tally_limits){ .connections = 2, .streams = 1, .held_bytes = 100 });
    CHECK(tally_take(&t, one, TALLY_CONNECTIONS, 1, 0));
    CHECK(tally_take(&t, one, TALLY_CONNECTIONS, 1, 0));
    CHECK(!tally_take(&t, one, TALLY_CONNECTIONS, 1, 0));
    CHECK(!tally_has_room(&t, one, TALLY_CONNECTIONS, 0));
    CHECK(tally_has_room(&t, two, TALLY_CONNECTIONS, 0));
    CHECK(tally_take(&t, two, TALLY_CONNECTIONS, 1, 0));
    CHECK(tally_take(&t, one, TALLY_STREAMS, 1, 0));
    CHECK(!tally_take(&t, one, TALLY_STREAMS, 1, 0));
    tally_give(&t, one, TALLY_CONNECTIONS, 1, 0);
    CHECK(tally_take(&t, one, TALLY_CONNECTIONS, 1, 0));
    CHECK(!tally_take(&t, one, TALLY_CONNECTIONS, 1, 0));
    tally_give(&t, address("192.0.2.3"), TALLY_CONNECTIONS, 1, 0); /* never taken */
    CHECK(tally_take(&t, one, TALLY_HELD_BYTES, 70, 0));
    CHECK(!tally_take(&t, one, TALLY_HELD_BYTES, 31, 0));
    CHECK(tally_take(&t, one, TALLY_HELD_BYTES, 30, 0));
    tally_give(&t, one, TALLY_HELD_BYTES, 100, 0);
    CHECK(tally_take(&t, one, TALLY_HELD_BYTES, 100, 0));
    CHECK(!tally_take(&t, two, TALLY_HELD_BYTES, 101, 0));
    tally_done(&t);
}

static void a_network_of_ipv6_is_one_client(void)
{
    tally_init(&t, &(struct tally_limits){ .connections = 1 });
    CHECK(tally_take(&t, address("2001:db8::1"), TALLY_CONNECTIONS, 1, 0));
    CHECK(!tally_take(&t, address("2001:db8::ffff:2"), TALLY_CONNECTIONS, 1, 0));
    CHECK(tally_take(&t, address("2001:db8:0:1::1"), TALLY_CONNECTIONS, 1, 0));
    CHECK(tally_take(&t, client_of_key(1), TALLY_CONNECTIONS, 1, 0));
    CHECK(tally_take(&t, client_of_key(2), TALLY_CONNECTIONS, 1, 0));
    tally_done(&t);
}

static void requests_are_let_through_at_the_rate(void)
{
    static const struct {
        int64_t at_ms;
        bool ok;
        int64_t left, full_in_s, wait_s;
    } steps[] = {
        /* 2 a second, 3 at once */
        { 1000, true, 2, 1, 0 },  { 1000, true, 1, 1, 0 },      { 1000, true, 0, 2, 0 },  { 1000, false, 0, 2, 1 },
        { 1499, false, 0, 2, 1 }, { 1500, true, 0, 2, 0 },      { 1400, false, 0, 2, 1 }, /* a clock that goes back
                                                                                             gives nothing */
        { 2400, true, 1, 1, 0 },  { 900000000, true, 2, 1, 0 },
    };
    struct quota q = { 0 };

    tally_init(&t, &(struct tally_limits){ .per_s = 2, .burst = 3 });
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        test_case("step %zu", i);
        CHECK(tally_request(&t, client_of_key(7), steps[i].at_ms, &q) == steps[i].ok);
        CHECK_I64(q.burst, 3);
        CHECK_I64(q.window_s, 2);
        CHECK_I64(q.left, steps[i].left);
        CHECK_I64(q.full_in_s, steps[i].full_in_s);
        CHECK_I64(q.wait_s, steps[i].wait_s);
    }
    CHECK(tally_request(&t, client_of_key(8), 0, &q)); /* another's are its own */
    CHECK_I64(q.left, 2);
    tally_done(&t);
}

static void who_is_denied_too_often_waits(void)
{
    const struct client_id who = address("192.0.2.1");
    int64_t wait_s = 0;

    tally_init(&t, &(struct tally_limits){ .denied_per_s = 1, .denied_burst = 5 });
    for (int i = 0; i < 5; i++) {
        CHECK(tally_may_try(&t, who, 0, &wait_s));
        tally_denied(&t, who, 0);
    }
    CHECK(!tally_may_try(&t, who, 0, &wait_s));
    CHECK_I64(wait_s, 1);
    tally_denied(&t, who, 0); /* that were on their way cost no more than is there */
    CHECK(tally_may_try(&t, who, 1000, &wait_s));
    CHECK(tally_may_try(&t, address("192.0.2.2"), 0, &wait_s));
    tally_done(&t);
}

static void who_is_gone_is_forgotten(void)
{
    struct quota q = { 0 };

    tally_init(&t, &(struct tally_limits){ .per_s = 1, .burst = 1 });
    for (int round = 0; round < 100; round++)
        for (int i = 0; i < 5000; i++)
            CHECK(tally_request(&t, client_of_key(round * 5000 + i), round * 2000, &q));
    for (int i = 0; i < TALLY_SLOTS; i++) {
        int chain = 0;
        for (const void *e = t.slots[i]; e; e = *(void *const *)e)
            chain++;
        CHECK(chain <= 50); /* 5,000 that are here now are 5 in a slot */
    }
    tally_done(&t);
}

static void no_limit_and_no_memory_refuse_nobody(void)
{
    struct quota q = { 0 };
    int64_t wait_s = 0;

    tally_init(&t, &(struct tally_limits){ 0 });
    for (int i = 0; i < 1000; i++) {
        CHECK(tally_take(&t, client_of_key(1), TALLY_STREAMS, 1, 0));
        CHECK(tally_request(&t, client_of_key(1), 0, &q));
        tally_denied(&t, client_of_key(1), 0);
        CHECK(tally_may_try(&t, client_of_key(1), 0, &wait_s));
    }
    CHECK_I64(entries(), 1);
    tally_done(&t);
    tally_init(&t, &(struct tally_limits){ 1, 1, 1, 1, 1, 1, 1, 1, 1 });
    mem_fail_at(1);
    for (int i = 0; i < 3; i++) {
        CHECK(tally_take(&t, client_of_key(1), TALLY_CONNECTIONS, 1, 0));
        CHECK(tally_request(&t, client_of_key(1), 0, &q));
        tally_denied(&t, client_of_key(1), 0);
        CHECK(tally_may_try(&t, client_of_key(1), 0, &wait_s));
    }
    mem_fail_never();
    tally_give(&t, client_of_key(1), TALLY_CONNECTIONS, 1, 0);
    CHECK_I64(entries(), 0);
    tally_done(&t);
}

static const struct test tests[] = {
    { "open things are counted by client", open_things_are_counted_by_client },
    { "a network of IPv6 is one client", a_network_of_ipv6_is_one_client },
    { "requests are let through at the rate", requests_are_let_through_at_the_rate },
    { "who is denied too often waits", who_is_denied_too_often_waits },
    { "who is gone is forgotten", who_is_gone_is_forgotten },
    { "no limit and no memory refuse nobody", no_limit_and_no_memory_refuse_nobody },
};

TEST_MAIN("http/tally", tests)
