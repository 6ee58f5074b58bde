/*
 * Runs one case of what a program may do with a key of the engine, and exits 0 when all went as it should.
 * Usage: life_time <case> <handle of an EC pair> <handle of an RSA pair>
 */
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "failed: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static ENGINE *open_engine(void)
{
    ENGINE *engine = ENGINE_by_id("aziot_keys");
    check(engine != NULL && ENGINE_init(engine), "engine");
    return engine;
}

static void close_engine(ENGINE *engine)
{
    ENGINE_finish(engine);
    ENGINE_free(engine);
}

static EVP_PKEY *load(const char *handle)
{
    ENGINE *engine = open_engine();
    EVP_PKEY *key = ENGINE_load_private_key(engine, handle, NULL, NULL);
    check(key != NULL, "load");
    close_engine(engine); /* from here on only the key holds the engine */
    return key;
}

static void sign(EVP_PKEY *key)
{
    unsigned char signature[1024];
    size_t length = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1, "sign init");
    check(EVP_DigestSign(context, signature, &length, (const unsigned char *)"data", 4) == 1, "sign");
    EVP_MD_CTX_free(context);
    context = EVP_MD_CTX_new();
    check(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1, "verify init");
    check(EVP_DigestVerify(context, signature, length, (const unsigned char *)"data", 4) == 1, "verify");
    EVP_MD_CTX_free(context);
}

static void sign_and_free(const char *handle)
{
    EVP_PKEY *key = load(handle);
    sign(key);
    sign(key);
    EVP_PKEY_free(key);
}

static void duplicate(const char *handle)
{
    EVP_PKEY *key = load(handle);
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    check(copy != NULL, "EVP_PKEY_dup");
    EVP_PKEY *second = EVP_PKEY_dup(copy);
    check(second != NULL, "EVP_PKEY_dup of a copy");
    sign(key);
    EVP_PKEY_free(key);
    sign(copy);
    EVP_PKEY_free(copy);
    sign(second);
    EVP_PKEY_free(second);
}

/* OpenSSL refuses to duplicate an RSA key with a method of its own: that must harm nothing. */
static void duplicate_refused(const char *handle)
{
    EVP_PKEY *key = load(handle);
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    if (copy != NULL)
        EVP_PKEY_free(copy);
    sign(key);
    EVP_PKEY_free(key);
}

static void duplicate_inner(const char *handle)
{
    EVP_PKEY *key = load(handle);
    EC_KEY *copy = EC_KEY_dup(EVP_PKEY_get0_EC_KEY(key));
    EC_KEY *target = EC_KEY_new();
    check(copy != NULL && EC_KEY_copy(target, copy) != NULL, "EC_KEY_dup and EC_KEY_copy");
    EVP_PKEY_free(key);
    unsigned char digest[32] = {1};
    unsigned char signature[256];
    unsigned int length = 0;
    check(ECDSA_sign(0, digest, sizeof digest, signature, &length, copy) == 1, "sign with the copy");
    EC_KEY_free(copy);
    check(ECDSA_sign(0, digest, sizeof digest, signature, &length, target) == 1, "sign with the copy of the copy");
    check(ECDSA_verify(0, digest, sizeof digest, signature, (int)length, target) == 1, "verify");
    EC_KEY_free(target);
}

/* The EC_KEY outlives both the EVP_PKEY and the engine. */
static void outlive(const char *handle)
{
    EVP_PKEY *key = load(handle);
    EC_KEY *inner = EVP_PKEY_get1_EC_KEY(key);
    EVP_PKEY_free(key);
    unsigned char digest[32] = {1};
    unsigned char signature[256];
    unsigned int length = 0;
    check(ECDSA_sign(0, digest, sizeof digest, signature, &length, inner) == 1, "sign");
    EC_KEY_free(inner);
}

static void *sign_often(void *key)
{
    for (int i = 0; i < 5; i++)
        sign(key);
    return NULL;
}

static void threads(const char *ec, const char *rsa)
{
    pthread_t running[8];
    EVP_PKEY *keys[2] = {load(ec), load(rsa)};
    for (int i = 0; i < 8; i++)
        pthread_create(&running[i], NULL, sign_often, keys[i % 2]);
    for (int i = 0; i < 8; i++)
        pthread_join(running[i], NULL);
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
}

static void forks(const char *ec)
{
    EVP_PKEY *key = load(ec);
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            sign(key);
            EVP_PKEY_free(key);
            exit(0);
        }
    sign(key);
    for (int i = 0; i < 4; i++) {
        int status;
        check(wait(&status) > 0 && status == 0, "child");
    }
    EVP_PKEY_free(key);
}

/* Many engines alive at once, and many errors of different text. */
static void many(const char *ec)
{
    ENGINE *engines[40];
    EVP_PKEY *keys[40];
    for (int i = 0; i < 40; i++) {
        engines[i] = open_engine();
        keys[i] = ENGINE_load_private_key(engines[i], ec, NULL, NULL);
        check(keys[i] != NULL, "load");
    }
    for (int i = 0; i < 40; i++) {
        EVP_PKEY_free(keys[i]);
        close_engine(engines[i]);
    }
    ENGINE *engine = open_engine();
    for (int i = 0; i < 100; i++) {
        char path[64], text[256];
        const char *data;
        snprintf(path, sizeof path, "/nowhere/socket-%d", i);
        setenv("AZIOT_KEYD_SOCKET", path, 1);
        check(ENGINE_load_private_key(engine, ec, NULL, NULL) == NULL, "load without keyd");
        unsigned long error = ERR_get_error_all(NULL, NULL, NULL, &data, NULL);
        ERR_error_string_n(error, text, sizeof text);
        check(strstr(text, path) != NULL || strstr(data, path) != NULL, "the error names the socket");
        ERR_clear_error();
    }
    close_engine(engine);
}

int main(int count, char **arguments)
{
    check(count == 4, "usage: life_time <case> <ec> <rsa>");
    const char *name = arguments[1], *ec = arguments[2], *rsa = arguments[3];
    if (strcmp(name, "sign-ec") == 0)
        sign_and_free(ec);
    else if (strcmp(name, "sign-rsa") == 0)
        sign_and_free(rsa);
    else if (strcmp(name, "duplicate-ec") == 0)
        duplicate(ec);
    else if (strcmp(name, "duplicate-rsa") == 0)
        duplicate_refused(rsa);
    else if (strcmp(name, "duplicate-inner") == 0)
        duplicate_inner(ec);
    else if (strcmp(name, "outlive") == 0)
        outlive(ec);
    else if (strcmp(name, "threads") == 0)
        threads(ec, rsa);
    else if (strcmp(name, "forks") == 0)
        forks(ec);
    else if (strcmp(name, "many") == 0)
        many(ec);
    else
        check(0, "unknown case");
    return 0;
}
