/* The application: builds every part from the settings, starts them upward, stops them in reverse. */
#ifndef VIDBATCH_SERVER_APP_H
#define VIDBATCH_SERVER_APP_H

#include "server/base/err.h"
#include "server/config.h"
#include "server/work/doctor.h"

struct app;
/* Migrates where the settings say so, connects, listens. Keeps config. Gives: app_stop. */
MUST_CHECK bool app_start(const struct config *config, struct app **out, struct err *err);
int app_port(const struct app *app);
/* Reads again what may change while the service runs, the certificate and its key, and logs how that went. */
void app_reload(struct app *app);
/* Readiness falls; all else goes on. */
void app_drain(struct app *app);
/* Readiness falls, requests under way are answered, steps give their leases back; at most nine seconds. Frees all and
 * gives true; false: some thread did not end and still uses it, and the settings, so the process must end with _exit.
 */
MUST_CHECK bool app_stop(struct app *app);

/* What the doctor takes from the settings. Borrowed from config. */
struct doctor_settings app_doctor_settings(const struct config *config, const struct models *models, const char *region,
                                           const char *missing_settings);

/* Brings the database up to date and says what it did. */
MUST_CHECK bool app_migrate(const struct config *config, int *applied, bool *newer, struct err *err);

#endif
