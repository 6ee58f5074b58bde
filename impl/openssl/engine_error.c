#include "engine_error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_TEXT = 64, /* above all general reasons */
    TEXT_COUNT = 64,
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int library;

/* OpenSSL keeps pointers into these tables and writes the library number into them. */
static ERR_STRING_DATA library_name[] = {
    {0, "aziot_key_openssl_engine"},
    {0, NULL},
};

static ERR_STRING_DATA reasons[] = {
    {ERR_PACK(0, 0, KEYD_UNREACHABLE), "keyd cannot be reached"},
    {ERR_PACK(0, 0, KEYD_TIMEOUT), "keyd did not answer in time"},
    {ERR_PACK(0, 0, KEYD_BAD_ANSWER), "keyd gave an unusable answer"},
    {ERR_PACK(0, 0, KEYD_REFUSED), "keyd refused the request"},
    {ERR_PACK(0, 0, KEYD_BAD_INPUT), "unusable key identifier or setting"},
    {ERR_PACK(0, 0, KEYD_UNSUPPORTED_KEY), "unsupported key"},
    {ERR_PACK(0, 0, KEYD_NO_MEMORY), "out of memory"},
    {ERR_PACK(0, 0, ENGINE_REASON_UNSUPPORTED_OPERATION), "unsupported operation"},
    {ERR_PACK(0, 0, ENGINE_REASON_BAD_SIGNATURE), "keyd gave an unusable signature"},
    {ERR_PACK(0, 0, ENGINE_REASON_OPENSSL), "openssl failed"},
    {0, NULL},
};

/* Texts that have a number; they stay as long as the process, for OpenSSL points at them. */
static _Atomic(char *) texts[TEXT_COUNT];
static ERR_STRING_DATA text_reasons[TEXT_COUNT][2];

static void register_strings(void)
{
    library = ERR_get_next_error_library();
    ERR_load_strings(library, reasons);
    library_name[0].error = ERR_PACK(library, 0, 0);
    ERR_load_strings(0, library_name);
}

void engine_error_register(void)
{
    CRYPTO_THREAD_run_once(&once, register_strings);
}

/* Finds the number of a text, or gives it the next free one; 0 when there is none. No lock: a fork may come between. */
static int find_reason(const char *text)
{
    char *copy = NULL;
    for (int i = 0; i < TEXT_COUNT; i++) {
        char *known = atomic_load(&texts[i]);
        if (known == NULL && copy == NULL && (copy = strdup(text)) == NULL)
            return 0;
        if (known == NULL && atomic_compare_exchange_strong(&texts[i], &known, copy)) {
            text_reasons[i][0] = (ERR_STRING_DATA){ERR_PACK(0, 0, FIRST_TEXT + i), copy};
            ERR_load_strings(library, text_reasons[i]);
            return FIRST_TEXT + i;
        }
        if (strcmp(known, text) == 0) {
            free(copy);
            return FIRST_TEXT + i;
        }
    }
    free(copy);
    return 0;
}

void engine_error_put(const char *file, int line, const char *function, int reason, const char *format, ...)
{
    char text[sizeof((struct keyd_error *)0)->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    engine_error_register();
    int own_reason = find_reason(text);
    ERR_new();
    ERR_set_debug(file, line, function);
    if (own_reason != 0)
        ERR_set_error(library, own_reason, NULL);
    else
        ERR_set_error(library, reason, "%s", text);
}
