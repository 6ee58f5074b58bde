/* The engine itself: its identity and its callbacks. */
#ifndef AZIOT_ENGINE_H
#define AZIOT_ENGINE_H

#include <openssl/engine.h>

/* The id that the engine shows once it is loaded. */
#define ENGINE_INNER_ID "aziot-key-openssl-engine"

/* Fills in `engine`, with the id `id` (kept, not copied). Returns 0 with an error on the queue. */
int engine_fill(ENGINE *engine, const char *id);

#endif
