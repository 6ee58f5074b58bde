/* Tests of the readers and writers that take what keyd says. Exits 0 when all hold. */
#include "../base64.h"
#include "../http_answer.h"
#include "../json.h"
#include "../json_string.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(bool good, const char *what, const char *input)
{
    if (good)
        return;
    failures++;
    fprintf(stderr, "failed: %s: %s\n", what, input);
}

static void test_base64(void)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } cases[] = {
        {"", ""},           {"Zg==", "f"},       {"Zm8=", "fo"},   {"Zm9v", "foo"},    {"Zm9vYg==", "foob"},
        {"Zg=", NULL},      {"Zg", NULL},        {"Zh==", NULL},   {"Zm9=", NULL},     {"Zg==Zg==", NULL},
        {"Z===", NULL},     {"====", NULL},      {"Zm9v\n", NULL}, {"Zm 9", NULL},     {"Zm9-", NULL},
        {"Zm=v", NULL},     {"Z=9v", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *bytes = NULL;
        size_t length = 0;
        bool good = base64_decode(cases[i].text, strlen(cases[i].text), &bytes, &length);
        expect(good == (cases[i].bytes != NULL), "base64 is taken or refused", cases[i].text);
        if (good && cases[i].bytes != NULL) {
            struct text again = {0};
            expect(length == strlen(cases[i].bytes) && memcmp(bytes, cases[i].bytes, length) == 0, "base64 bytes",
                   cases[i].text);
            base64_append(&again, bytes, length);
            text_append(&again, "", 0);
            expect(strcmp(again.bytes, cases[i].text) == 0, "base64 again", cases[i].text);
            text_free(&again);
        }
        free(bytes);
    }
}

static void test_json_member(void)
{
    static const struct {
        const char *json;
        enum json_member found;
        const char *value;
    } cases[] = {
        {"{\"a\":\"b\"}", JSON_MEMBER_FOUND, "b"},
        {" { \"x\" : [1, {\"a\":2}] , \"a\" : \"b\" } ", JSON_MEMBER_FOUND, "b"},
        {"{\"\\u0061\":\"\\u00fc\\ud83d\\ude00\\n\\/\"}", JSON_MEMBER_FOUND, "\xc3\xbc\xf0\x9f\x98\x80\n/"},
        {"{\"a\":\"\"}", JSON_MEMBER_FOUND, ""},
        {"{\"n\":-1.5e+3,\"t\":true,\"f\":false,\"z\":null,\"a\":\"b\"}", JSON_MEMBER_FOUND, "b"},
        {"{}", JSON_MEMBER_ABSENT, ""},
        {"{\"a\":1}", JSON_MEMBER_ABSENT, ""},
        {"{\"b\":{\"a\":\"x\"}}", JSON_MEMBER_ABSENT, ""},
        {"", JSON_MALFORMED, ""},
        {"[\"a\"]", JSON_MALFORMED, ""},
        {"{\"a\":\"b\"", JSON_MALFORMED, ""},
        {"{\"a\":\"b\",}", JSON_MALFORMED, ""},
        {"{\"a\":\"b\"}}", JSON_MALFORMED, ""},
        {"{\"a\":\"b\" \"c\":1}", JSON_MALFORMED, ""},
        {"{a:\"b\"}", JSON_MALFORMED, ""},
        {"{'a':'b'}", JSON_MALFORMED, ""},
        {"{\"a\":\"b\",\"a\":1}", JSON_MALFORMED, ""},
        {"{\"a\":1,\"a\":\"b\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\\u0000\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\\ud83d\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\\ude00\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\\x41\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\xff\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\xc0\x80\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"\xed\xa0\x80\"}", JSON_MALFORMED, ""},
        {"{\"a\":\"line\nbreak\"}", JSON_MALFORMED, ""},
        {"{\"n\":01,\"a\":\"b\"}", JSON_MALFORMED, ""},
        {"{\"n\":1.,\"a\":\"b\"}", JSON_MALFORMED, ""},
        {"{\"n\":+1,\"a\":\"b\"}", JSON_MALFORMED, ""},
        {"{\"n\":nul,\"a\":\"b\"}", JSON_MALFORMED, ""},
        {"{\"n\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]],\"a\":\"b\"}", JSON_MALFORMED, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text value = {0};
        enum json_member found = json_read_string_member(cases[i].json, strlen(cases[i].json), "a", &value);
        text_append(&value, "", 0);
        expect(found == cases[i].found, "json member", cases[i].json);
        expect(strcmp(value.bytes, cases[i].value) == 0, "json value", cases[i].json);
        text_free(&value);
    }
}

static void test_json_string(void)
{
    struct text out = {0};
    expect(json_append_string(&out, "a\"\\\n\x01\xc3\xbc"), "json string", "");
    expect(strcmp(out.bytes, "\"a\\\"\\\\\\u000a\\u0001\xc3\xbc\"") == 0, "json string escapes", out.bytes);
    text_free(&out);
    expect(!json_append_string(&out, "\x80"), "json string that is not UTF-8", "");
    text_free(&out);
}

/* Every beginning of a good answer is incomplete, never malformed and never complete too early. */
static void test_head_in_pieces(void)
{
    const char *all = "HTTP/1.1 200 OK\r\nContent-Type: application/json ; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}";
    struct http_answer answer;
    const char *problem = NULL;
    for (size_t length = 0; length <= strlen(all); length++) {
        enum http_head head = http_answer_read_head(all, length, &answer, &problem);
        expect(head == (length >= strlen(all) - 2 ? HTTP_HEAD_COMPLETE : HTTP_HEAD_INCOMPLETE), "head in pieces", all);
    }
    expect(answer.status == 200 && answer.is_json && answer.has_length && answer.body_length == 2, "head", all);
    expect(answer.head_length == strlen(all) - 2, "length of the head", all);
}

static void test_bad_heads(void)
{
    static const char *const heads[] = {
        "\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551617\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct http_answer answer;
        const char *problem = NULL;
        enum http_head head = http_answer_read_head(heads[i], strlen(heads[i]), &answer, &problem);
        expect(head == HTTP_HEAD_MALFORMED && problem != NULL, "bad head", heads[i]);
    }
}

int main(void)
{
    test_base64();
    test_json_member();
    test_json_string();
    test_head_in_pieces();
    test_bad_heads();
    return failures == 0 ? 0 : 1;
}
