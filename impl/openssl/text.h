/*
 * A byte buffer that grows. Failing to allocate is remembered in `failed`, so that a caller appends freely and
 * asks once at the end.
 */
#ifndef AZIOT_TEXT_H
#define AZIOT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes; /* NULL while empty; a NUL that `length` does not count always follows the last byte */
    size_t length;
    size_t capacity;
    bool failed;
};

/* Appends `count` bytes. */
void text_append(struct text *text, const void *bytes, size_t count);

/* Appends a NUL-terminated string without its NUL. */
void text_append_string(struct text *text, const char *string);

/* Appends one byte. */
void text_append_byte(struct text *text, char byte);

/* Takes the bytes away as a NUL-terminated heap string that the caller frees; NULL when an append had failed. */
char *text_take(struct text *text);

/* Wipes and frees the bytes (they may hold a key handle) and makes the text empty and usable again. */
void text_free(struct text *text);

/* Wipes and frees a heap string; NULL is allowed. */
void string_wipe_free(char *string);

#endif
