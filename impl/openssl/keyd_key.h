/* A private key that lives in keyd: the client and the handle that reach it, and its public parts as keyd tells them. */
#ifndef AZIOT_KEYD_KEY_H
#define AZIOT_KEYD_KEY_H

#include "keyd_client.h"

enum keyd_algorithm {
    KEYD_EC,
    KEYD_RSA,
};

enum keyd_curve {
    KEYD_P256,
    KEYD_P384,
    KEYD_P521,
};

/* The public parts: EC has curve and point, RSA has modulus and exponent. */
struct keyd_key {
    enum keyd_algorithm algorithm;
    enum keyd_curve curve;
    struct keyd_client *client;
    char *handle;
    struct keyd_bytes point;    /* SEC1, any form */
    struct keyd_bytes modulus;  /* big-endian */
    struct keyd_bytes exponent; /* big-endian */
};

/* Loads the key that `identifier` (handle or key id) names. Returns it with one reference, or NULL with `error` set. */
struct keyd_key *keyd_key_load(const char *identifier, struct keyd_error *error);

/* Takes one more reference; safe from any thread. */
void keyd_key_up_ref(struct keyd_key *key);

/* Gives one reference back; the last frees the key. NULL is allowed. */
void keyd_key_free(struct keyd_key *key);

#endif
