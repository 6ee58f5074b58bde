/*
 * What becomes of a key of the engine that is copied, or that outlives the engine's own reference.
 * Usage: key-lives copy|outlive <handle> …; exit 0 when every signature was made and verifies.
 */
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(int holds, const char *step)
{
    if (!holds) {
        fprintf(stderr, "%s failed\n", step);
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static void use(EVP_PKEY *key)
{
    static const unsigned char message[] = "message";
    unsigned char made[1024];
    size_t size = sizeof made;
    EVP_MD_CTX *signer = EVP_MD_CTX_new(), *verifier = EVP_MD_CTX_new();
    need(EVP_DigestSignInit(signer, NULL, EVP_sha256(), NULL, key) == 1
             && EVP_DigestSign(signer, made, &size, message, sizeof message) == 1, "signing");
    need(EVP_DigestVerifyInit(verifier, NULL, EVP_sha256(), NULL, key) == 1
             && EVP_DigestVerify(verifier, made, size, message, sizeof message) == 1, "verifying");
    EVP_MD_CTX_free(signer);
    EVP_MD_CTX_free(verifier);
}

static EVP_PKEY *key_of(ENGINE *engine, const char *handle)
{
    EVP_PKEY *key = ENGINE_load_private_key(engine, handle, NULL, NULL);
    need(key != NULL, "loading");
    return key;
}

/* OpenSSL itself refuses to copy an RSA key that has a method of its own: then the first one has to stay whole. */
static void copy(ENGINE *engine, const char *handle)
{
    EVP_PKEY *first = key_of(engine, handle);
    EVP_PKEY *second = EVP_PKEY_dup(first);
    use(first);
    need(second != NULL || EVP_PKEY_is_a(first, "RSA"), "copying");
    EVP_PKEY_free(first);
    if (second != NULL)
        use(second);
    EVP_PKEY_free(second);
}

int main(int count, char **words)
{
    need(count > 2, "usage: key-lives copy|outlive HANDLE …");
    for (int i = 2; i < count; i++) {
        ENGINE *engine = ENGINE_by_id("aziot_keys");
        need(engine != NULL && ENGINE_init(engine) == 1, "loading the engine");
        EVP_PKEY *key = NULL;
        if (strcmp(words[1], "copy") == 0)
            copy(engine, words[i]);
        else
            key = key_of(engine, words[i]);
        ENGINE_finish(engine);
        ENGINE_free(engine);
        if (key != NULL)
            use(key);
        EVP_PKEY_free(key);
    }
    return 0;
}
