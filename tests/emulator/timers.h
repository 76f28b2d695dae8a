/* Resumes suspended connections when their time has come. Any thread. */
#ifndef VIDBATCH_EMULATOR_TIMERS_H
#define VIDBATCH_EMULATOR_TIMERS_H

#include <stdint.h>

struct MHD_Connection;
struct timers;

struct timers *timers_start(void);
/* Resumes everything that waits at once, then frees. */
void timers_stop(struct timers *timers);
/* Suspends the connection now and resumes it after delay_ms. Call from one of its callbacks. */
void timers_suspend(struct timers *timers, struct MHD_Connection *connection, int64_t delay_ms);

#endif
