#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *text, size_t count)
{
    if (text->failed)
        return false;
    if (count >= SIZE_MAX / 2 - text->length) {
        text->failed = true;
        return false;
    }
    size_t wanted = text->length + count + 1;
    if (wanted <= text->capacity)
        return true;
    size_t capacity = text->capacity == 0 ? 256 : text->capacity;
    while (capacity < wanted)
        capacity *= 2;
    /* Not realloc: it may leave an unwiped copy of a handle behind. */
    char *bytes = malloc(capacity);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    if (text->bytes != NULL) {
        memcpy(bytes, text->bytes, text->length);
        explicit_bzero(text->bytes, text->capacity);
        free(text->bytes);
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, const void *bytes, size_t count)
{
    if (!reserve(text, count))
        return;
    if (count > 0)
        memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_append_byte(struct text *text, char byte)
{
    text_append(text, &byte, 1);
}

char *text_take(struct text *text)
{
    text_append(text, "", 0); /* so that an empty text is the empty string, not NULL */
    if (text->failed) {
        text_free(text);
        return NULL;
    }
    char *bytes = text->bytes;
    *text = (struct text){0};
    return bytes;
}

void text_free(struct text *text)
{
    if (text->bytes != NULL) {
        explicit_bzero(text->bytes, text->capacity);
        free(text->bytes);
    }
    *text = (struct text){0};
}

void string_wipe_free(char *string)
{
    if (string == NULL)
        return;
    explicit_bzero(string, strlen(string));
    free(string);
}
