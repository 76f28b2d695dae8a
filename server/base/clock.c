#include "server/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t least_ms = -62167219200000;    /* 0000-01-01T00:00:00.000Z */
static const int64_t greatest_ms = 253402300799999; /* 9999-12-31T23:59:59.999Z */
enum { JOIN_PAUSE_MS = 2 };
static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int64_t read_ms(clockid_t which)
{
    struct timespec now = { 0 };

    (void)clock_gettime(which, &now); /* cannot fail for the two clocks that we name */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

bool clock_join(pthread_t thread, int64_t deadline_mono_ms)
{
    const struct timespec pause = { 0, JOIN_PAUSE_MS * 1000000L };

    while (pthread_tryjoin_np(thread, NULL) != 0) {
        if (clock_mono_ms() >= deadline_mono_ms)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* Clamped to years 0 to 9999, which is all that either format can write. */
static struct tm broken_down(int64_t wall_ms, int *ms)
{
    struct tm tm = { 0 };
    time_t s = 0;

    if (wall_ms < least_ms)
        wall_ms = least_ms;
    if (wall_ms > greatest_ms)
        wall_ms = greatest_ms;
    *ms = (int)(((wall_ms % 1000) + 1000) % 1000);
    s = (time_t)((wall_ms - *ms) / 1000);
    (void)gmtime_r(&s, &tm);
    return tm;
}

/* The modulo is only there to show the compiler that every field fits. */
static unsigned two(int n)
{
    return (unsigned)n % 100U;
}

/* Writes n with leading zeros over the digits that end at `end`. */
static void put_digits(char *end, int count, int64_t n)
{
    for (; count > 0; count--, n /= 10)
        *--end = (char)('0' + n % 10);
}

/* By arithmetic: libc's way takes a lock of the whole process, and a page of rows asks for many times. Days are counted
 * from a 1 March, so that a leap day ends its year; 146,097 of them are 400 years. */
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    int64_t ms = (wall_ms < least_ms ? least_ms : wall_ms > greatest_ms ? greatest_ms : wall_ms) - least_ms;
    int64_t day = ms / 86400000 + 146097 - 60; /* since 1 March of the year -400 */
    int64_t era = day / 146097;
    int64_t of_era = day % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0 is March */

    memcpy(out, "0000-00-00T00:00:00.000Z", 25);
    put_digits(out + 4, 4, (era - 1) * 400 + year + (month >= 10 ? 1 : 0));
    put_digits(out + 7, 2, month < 10 ? month + 3 : month - 9);
    put_digits(out + 10, 2, of_year - (153 * month + 2) / 5 + 1);
    put_digits(out + 13, 2, ms / 3600000 % 24);
    put_digits(out + 16, 2, ms / 60000 % 60);
    put_digits(out + 19, 2, ms / 1000 % 60);
    put_digits(out + 23, 3, ms % 1000);
}

void clock_http_date(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    int ms = 0;
    struct tm tm = broken_down(wall_ms, &ms);

    (void)snprintf(out, CLOCK_RFC3339_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", day_names + 3 * tm.tm_wday,
                   two(tm.tm_mday), month_names + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000U,
                   two(tm.tm_hour), two(tm.tm_min), two(tm.tm_sec));
}

/* Takes exactly `count` digits off the front. */
static bool take_digits(struct span *s, size_t count, int *out)
{
    int n = 0;

    if (s->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        n = n * 10 + (s->ptr[i] - '0');
    }
    *s = span_tail(*s, count);
    *out = n;
    return true;
}

static bool take_char(struct span *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    *s = span_tail(*s, 1);
    return true;
}

static bool take_time_of_day(struct span *s, struct tm *tm)
{
    return take_digits(s, 2, &tm->tm_hour) && take_char(s, ":") && take_digits(s, 2, &tm->tm_min) &&
           take_char(s, ":") && take_digits(s, 2, &tm->tm_sec);
}

static bool is_real_time(const struct tm *tm)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = tm->tm_year + 1900;
    int last = 0;

    if (tm->tm_mon < 0 || tm->tm_mon > 11)
        return false;
    last = days[tm->tm_mon];
    if (tm->tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        last = 29;
    /* second 60: a leap second, read as the first of the next minute */
    return tm->tm_mday >= 1 && tm->tm_mday <= last && tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 60;
}

/* ".123456" cut to milliseconds; no fraction is 0. */
static bool take_fraction(struct span *s, int *ms)
{
    int digit = 0;
    int weight = 100;

    *ms = 0;
    if (!take_char(s, "."))
        return true;
    if (!take_digits(s, 1, &digit))
        return false;
    do {
        *ms += digit * weight;
        weight /= 10;
    } while (take_digits(s, 1, &digit));
    return true;
}

/* "Z" or "+HH:MM" */
static bool take_offset(struct span *s, int *minutes)
{
    int hour = 0;
    int minute = 0;
    bool west = s->len > 0 && s->ptr[0] == '-';

    *minutes = 0;
    if (take_char(s, "Zz"))
        return true;
    if (!take_char(s, "+-") || !take_digits(s, 2, &hour) || !take_char(s, ":") || !take_digits(s, 2, &minute))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    *minutes = (west ? -1 : 1) * (hour * 60 + minute);
    return true;
}

bool clock_parse_rfc3339(struct span text, int64_t *wall_ms)
{
    struct tm tm = { 0 };
    struct span s = text;
    int ms = 0;
    int offset_min = 0;

    if (!take_digits(&s, 4, &tm.tm_year) || !take_char(&s, "-") || !take_digits(&s, 2, &tm.tm_mon) ||
        !take_char(&s, "-") || !take_digits(&s, 2, &tm.tm_mday) || !take_char(&s, "Tt") || !take_time_of_day(&s, &tm))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!is_real_time(&tm) || !take_fraction(&s, &ms) || !take_offset(&s, &offset_min) || s.len != 0)
        return false;
    *wall_ms = ((int64_t)timegm(&tm) - offset_min * 60) * 1000 + ms;
    return true;
}

static bool take_month(struct span *s, int *month)
{
    for (int i = 0; i < 12; i++) {
        if (span_starts(*s, (struct span){ month_names + 3 * i, 3 })) {
            *s = span_tail(*s, 3);
            *month = i;
            return true;
        }
    }
    return false;
}

bool clock_parse_http_date(struct span text, int64_t *wall_ms)
{
    struct tm tm = { 0 };
    struct span s = span_tail(text, 5); /* the day of the week is judged by the comparison at the end */
    char again[CLOCK_RFC3339_SIZE] = "";
    int64_t ms = 0;

    if (!take_digits(&s, 2, &tm.tm_mday) || !take_char(&s, " ") || !take_month(&s, &tm.tm_mon) || !take_char(&s, " ") ||
        !take_digits(&s, 4, &tm.tm_year) || !take_char(&s, " ") || !take_time_of_day(&s, &tm))
        return false;
    tm.tm_year -= 1900;
    if (!is_real_time(&tm))
        return false;
    ms = (int64_t)timegm(&tm) * 1000;
    clock_http_date(ms, again);
    if (!span_eq_text(text, again))
        return false;
    *wall_ms = ms;
    return true;
}
