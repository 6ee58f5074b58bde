/* Why a request to keyd failed. */
#ifndef AZIOT_KEYD_ERROR_H
#define AZIOT_KEYD_ERROR_H

enum keyd_error_code {
    KEYD_NO_ERROR,
    KEYD_UNREACHABLE, /* no socket, nobody listens, no permission */
    KEYD_TIMEOUT,     /* connected or tried to, but no answer in time */
    KEYD_BAD_ANSWER,  /* not HTTP, not JSON, a member is missing, cut off */
    KEYD_REFUSED,     /* keyd answered with an error; the message is keyd's own */
    KEYD_BAD_INPUT,   /* the identifier or the socket path cannot be used */
    KEYD_UNSUPPORTED_KEY, /* an algorithm or a curve that is not known here */
    KEYD_NO_MEMORY,
};

struct keyd_error {
    enum keyd_error_code code;
    char message[512]; /* for people; never holds a key handle */
};

/* Sets code and message (printf style; cut to fit). */
void keyd_error_set(struct keyd_error *error, enum keyd_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
