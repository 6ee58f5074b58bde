#include "json.h"

#include "json_string.h"

#include <string.h>

enum { MAX_DEPTH = 16 };

/* The member that is looked for, and what has been found of it. */
struct search {
    const char *name;
    bool seen;
    enum json_member found;
    struct text value;
};

static void skip_blanks(struct json_reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
}

static bool skip_digits(struct json_reader *in)
{
    const char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > start;
}

static bool skip_number(struct json_reader *in)
{
    json_take(in, '-');
    if (!json_take(in, '0') && !skip_digits(in))
        return false;
    if (json_take(in, '.') && !skip_digits(in))
        return false;
    if (json_take(in, 'e') || json_take(in, 'E')) {
        if (!json_take(in, '+'))
            json_take(in, '-');
        return skip_digits(in);
    }
    return true;
}

static bool skip_word(struct json_reader *in, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

static bool skip_value(struct json_reader *in, int depth);

static bool skip_string(struct json_reader *in)
{
    struct text dropped = {0};
    bool good = json_read_string(in, &dropped);
    text_free(&dropped);
    return good;
}

static bool skip_array(struct json_reader *in, int depth)
{
    skip_blanks(in);
    if (json_take(in, ']'))
        return true;
    do {
        if (!skip_value(in, depth + 1))
            return false;
    } while (json_take(in, ','));
    return json_take(in, ']');
}

static bool skip_object(struct json_reader *in, int depth)
{
    skip_blanks(in);
    if (json_take(in, '}'))
        return true;
    do {
        skip_blanks(in);
        if (!skip_string(in))
            return false;
        skip_blanks(in);
        if (!json_take(in, ':') || !skip_value(in, depth + 1))
            return false;
    } while (json_take(in, ','));
    return json_take(in, '}');
}

/* Skips one value and the blanks around it. */
static bool skip_value(struct json_reader *in, int depth)
{
    if (depth > MAX_DEPTH)
        return false;
    skip_blanks(in);
    bool good;
    if (json_take(in, '{'))
        good = skip_object(in, depth);
    else if (json_take(in, '['))
        good = skip_array(in, depth);
    else if (in->at < in->end && *in->at == '"')
        good = skip_string(in);
    else
        good = skip_word(in, "true") || skip_word(in, "false") || skip_word(in, "null") || skip_number(in);
    skip_blanks(in);
    return good;
}

/* Reads `"name": value`; keeps the value when it is the wanted string. Returns false when malformed. */
static bool read_member(struct json_reader *in, struct search *search)
{
    struct text key = {0};
    skip_blanks(in);
    bool good = json_read_string(in, &key);
    bool wanted = good && key.length == strlen(search->name) && memcmp(key.bytes, search->name, key.length) == 0;
    text_free(&key);
    skip_blanks(in);
    if (!good || !json_take(in, ':') || (wanted && search->seen))
        return false;
    search->seen = search->seen || wanted;
    skip_blanks(in);
    if (!wanted || in->at == in->end || *in->at != '"')
        return skip_value(in, 1);
    if (!json_read_string(in, &search->value))
        return false;
    skip_blanks(in);
    search->found = JSON_MEMBER_FOUND;
    return true;
}

static bool read_object(struct json_reader *in, struct search *search)
{
    skip_blanks(in);
    if (!json_take(in, '{'))
        return false;
    skip_blanks(in);
    if (!json_take(in, '}')) {
        do
            if (!read_member(in, search))
                return false;
        while (json_take(in, ','));
        if (!json_take(in, '}'))
            return false;
    }
    skip_blanks(in);
    return in->at == in->end;
}

enum json_member json_read_string_member(const char *json, size_t length, const char *name, struct text *value)
{
    struct json_reader in = {json, json + length};
    struct search search = {.name = name, .found = JSON_MEMBER_ABSENT};
    bool good = read_object(&in, &search);
    text_append(&search.value, "", 0);
    if (!good || search.value.failed || strlen(search.value.bytes) != search.value.length)
        search.found = JSON_MALFORMED;
    if (search.found == JSON_MEMBER_FOUND)
        text_append(value, search.value.bytes, search.value.length);
    text_free(&search.value);
    return search.found;
}
