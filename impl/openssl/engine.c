#include "engine.h"

#include "ec_key.h"
#include "engine_error.h"
#include "keyd_key.h"
#include "rsa_key.h"

#include <openssl/evp.h>

static const char engine_name[] = "An openssl engine that talks to the Azure IoT Keys Service";

static EVP_PKEY *load_key(const char *identifier, int private)
{
    struct keyd_error error = {0};
    if (identifier == NULL) {
        ENGINE_ERROR(KEYD_BAD_INPUT, "no key handle or key id is given");
        return NULL;
    }
    /* The client is made here and not when the engine starts, so that a change of the socket reaches the next key. */
    struct keyd_key *key = keyd_key_load(identifier, &error);
    if (key == NULL) {
        ENGINE_KEYD_ERROR(&error);
        return NULL;
    }
    EVP_PKEY *pkey = key->algorithm == KEYD_EC ? ec_key_new(key, private) : rsa_key_new(key, private);
    keyd_key_free(key);
    return pkey;
}

static EVP_PKEY *load_private_key(ENGINE *engine, const char *identifier, UI_METHOD *method, void *data)
{
    (void)method, (void)data;
    EVP_PKEY *pkey = load_key(identifier, 1);
    /* Bound to the engine, OpenSSL 3 takes the path that asks the key's own method to sign. */
    if (pkey == NULL || EVP_PKEY_set1_engine(pkey, engine) == 1)
        return pkey;
    ENGINE_ERROR(ENGINE_REASON_OPENSSL, "the key could not be bound to the engine");
    EVP_PKEY_free(pkey);
    return NULL;
}

static EVP_PKEY *load_public_key(ENGINE *engine, const char *identifier, UI_METHOD *method, void *data)
{
    (void)engine, (void)method, (void)data;
    return load_key(identifier, 0);
}

/* Offers OpenSSL's own methods for EC and RSA: binding a key to an engine needs the engine to have one. */
static int find_pkey_method(ENGINE *engine, EVP_PKEY_METHOD **method, const int **nids, int nid)
{
    static const int supported[] = {EVP_PKEY_EC, EVP_PKEY_RSA};
    (void)engine;
    if (method == NULL) {
        *nids = supported;
        return sizeof supported / sizeof *supported;
    }
    *method = NULL;
    if (nid == EVP_PKEY_EC || nid == EVP_PKEY_RSA)
        *method = (EVP_PKEY_METHOD *)EVP_PKEY_meth_find(nid);
    return *method != NULL;
}

/*
 * Without ENGINE_FLAGS_BY_ID_COPY: the engine has no state of its own, and a program that looks it up without starting
 * it (nginx) can use the one that openssl.cnf has started.
 */
int engine_fill(ENGINE *engine, const char *id)
{
    engine_error_register();
    if (ENGINE_set_id(engine, id) == 1 && ENGINE_set_name(engine, engine_name) == 1
        && ENGINE_set_load_privkey_function(engine, load_private_key) == 1
        && ENGINE_set_load_pubkey_function(engine, load_public_key) == 1
        && ENGINE_set_pkey_meths(engine, find_pkey_method) == 1)
        return 1;
    ENGINE_ERROR(ENGINE_REASON_OPENSSL, "the engine could not be set up");
    return 0;
}
