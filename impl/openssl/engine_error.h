/*
 * Errors of the engine on OpenSSL's error queue, under the library name `aziot_key_openssl_engine`.
 *
 * The text becomes OpenSSL's reason, which every program shows (Node shows nothing else). OpenSSL wants a number for
 * each reason, so the texts that have occurred in a process get numbers in the order of their coming. When a process
 * has seen more than there are numbers, further texts go with a general reason, as its data.
 */
#ifndef AZIOT_ENGINE_ERROR_H
#define AZIOT_ENGINE_ERROR_H

#include "keyd_error.h"

/* General reasons of the engine itself; those of keyd have the number of their keyd_error_code. */
enum engine_reason {
    ENGINE_REASON_UNSUPPORTED_OPERATION = 32,
    ENGINE_REASON_BAD_SIGNATURE,
    ENGINE_REASON_OPENSSL,
};

/* Registers the library and its reasons with OpenSSL, once in a process. */
void engine_error_register(void);

/* Puts an error on the queue; use the macros, which note the place. */
void engine_error_put(const char *file, int line, const char *function, int reason, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define ENGINE_ERROR(reason, ...) engine_error_put(__FILE__, __LINE__, __func__, reason, __VA_ARGS__)

/* Puts what went wrong with keyd on the queue. */
#define ENGINE_KEYD_ERROR(error) ENGINE_ERROR((int)(error)->code, "%s", (error)->message)

#endif
