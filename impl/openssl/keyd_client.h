/*
 * The client of keyd's API (specification keys-service.md 3.5) that the engine uses, free of OpenSSL, so that any
 * other plug-in can stand on it. It keeps no connection, no thread and no lock: it may be used from many threads at
 * once and on both sides of a fork.
 */
#ifndef AZIOT_KEYD_CLIENT_H
#define AZIOT_KEYD_CLIENT_H

#include "keyd_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyd_client;

/*
 * Makes a client. The socket is the one that the environment variable AZIOT_KEYD_SOCKET names (an absolute path),
 * else /run/aziot/keyd.sock; AZIOT_KEYD_TIMEOUT_MS shortens or lengthens the longest wait. Both are ignored in a
 * set-user-id program. Nothing is connected yet. Returns NULL with `error` set.
 */
struct keyd_client *keyd_client_new(struct keyd_error *error);

/* Frees the client; NULL is allowed. */
void keyd_client_free(struct keyd_client *client);

/*
 * Turns the identifier of a key pair into its handle: one that begins with `sr=` is a handle already, anything else
 * is a key id and keyd is asked (GET /keypair/{id}). Returns a new string to be freed with string_wipe_free, or NULL.
 */
char *keyd_client_find_handle(struct keyd_client *client, const char *identifier, struct keyd_error *error);

/* POST /parameters/{name}. Returns the value as a new string to be freed by the caller, or NULL with `error` set. */
char *keyd_client_get_parameter(struct keyd_client *client, const char *handle, const char *name,
                                struct keyd_error *error);

/* The bytes that an operation gives, to be freed by the caller; `bytes` is NULL when it failed. */
struct keyd_bytes {
    uint8_t *bytes;
    size_t length;
};

/* POST /sign with ECDSA over a digest. Gives the signature as keyd wrote it, DER by contract. */
struct keyd_bytes keyd_client_sign_ecdsa(struct keyd_client *client, const char *handle, const uint8_t *digest,
                                         size_t length, struct keyd_error *error);

/* POST /encrypt with `RSA-PKCS1` or `RSA-NO-PADDING`: the private-key operation over `plaintext`. */
struct keyd_bytes keyd_client_encrypt_rsa(struct keyd_client *client, const char *handle, const char *algorithm,
                                          const uint8_t *plaintext, size_t length, struct keyd_error *error);

#endif
