/* The three GNU attributes that this project uses, each behind one name. */
#ifndef VIDBATCH_BASE_ATTR_H
#define VIDBATCH_BASE_ATTR_H

/* Runs fn(&variable) when the variable leaves its scope. The variable must start empty. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* The compiler refuses a call whose result is dropped. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* printf-style checking of argument `args` on against format `fmt` (both counted from 1). */
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#endif
