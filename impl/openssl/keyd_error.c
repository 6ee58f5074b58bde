#include "keyd_error.h"

#include <stdarg.h>
#include <stdio.h>

void keyd_error_set(struct keyd_error *error, enum keyd_error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}
