/* The stand-in for AWS: what its parts share. One process, one struct emulator, made by main.c and alive until exit.
 * A test tool: where memory or the disk runs out it says so and ends the process. */
#ifndef VIDBATCH_EMULATOR_EMULATOR_H
#define VIDBATCH_EMULATOR_EMULATOR_H

#include "server/base/attr.h"
#include "server/base/span.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct jobs;
struct faults;
struct journal;
struct sessions;
struct iam;

struct emu_config {
    const char *listen_host; /* IPv4 address, default 127.0.0.1 */
    int listen_port;
    const char *port_file;
    const char *data_dir;
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* NULL: none wanted, none accepted */
    const char *region;
    const char *account;
    const char *log_file;
    const char *role_arn_prefix; /* NULL: every role may be passed */
    int64_t job_ms;              /* from Submitted to the end */
    int64_t min_records;
    int64_t max_records;
    int64_t max_file_bytes;
    int64_t max_job_bytes;
    int64_t concurrent_jobs;
    int64_t token_ms;     /* how long a clientRequestToken is known; 0: for ever */
    bool names_are_freed; /* by jobs that have ended */
    int64_t latency_ms;
    int threads;
};

struct emulator {
    struct emu_config config;
    struct store *store;
    struct jobs *jobs;
    struct faults *faults;
    struct journal *journal;
    struct sessions *sessions;
    struct iam *iam;
    _Atomic int64_t clock_offset_ms; /* set by the control endpoint: our clock against the machine's */
};

/* The emulator's own wall clock. */
int64_t emu_now_ms(const struct emulator *emu);

/* Zeroed memory, never NULL. Gives: free with mem_free. */
void *emu_alloc(size_t count, size_t size);
/* As realloc, never NULL. */
void *emu_resize(void *block, size_t count, size_t size);
/* A terminated copy. Gives: free with mem_free. */
char *emu_copy(struct span s);
/* Says what failed on standard error, with errno's words, and ends the process. */
_Noreturn void emu_die(const char *what);

/* Cheap deterministic hashes: of a number, and of bytes. */
uint64_t emu_mix(uint64_t n);
uint64_t emu_hash(struct span s);
/* "1,234,567" */
void emu_thousands(int64_t n, char out[32]);
/* Does `text` contain `part`? The empty part is in every text. */
bool emu_contains(struct span text, struct span part);

#endif
