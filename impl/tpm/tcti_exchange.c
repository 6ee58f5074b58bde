// One call that sends a command to a TCTI and waits for the response, so that a thread is woken once for both, and a call that looks for its
// end for a moment. The TCTI itself comes from the loader library of the TSS, which is neither linked nor included here:
// TSS2_TCTI_CONTEXT_COMMON_V1 (TCG TSS 2.0 TCTI API, 3.2) is its public beginning.
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define VISIBLE __attribute__((visibility("default")))

struct tcti_context {
  uint64_t magic;
  uint32_t version;
  uint32_t (*transmit)(struct tcti_context *context, size_t size, const uint8_t *command);
  uint32_t (*receive)(struct tcti_context *context, size_t *size, uint8_t *response, int32_t timeout);
};

/** What an exchange came to: four 32-bit numbers that both threads see; `ended` is written last. */
struct outcome {
  _Atomic uint32_t ended;
  uint32_t code;
  uint32_t sent;
  uint32_t size;
};

enum { WAIT_FOR_EVER = -1 };

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/**
 * `room` holds the command of `command_size` bytes, then the response. The outcome: the TSS2_RC of the step that failed or 0, whether the
 * command was taken, the size of the response in bytes. Gives the code too.
 */
VISIBLE uint32_t aziot_tcti_exchange(struct tcti_context *context, uint32_t command_size, uint8_t *room,
                                     uint32_t room_size, struct outcome *outcome) {
  uint32_t code = context->transmit(context, command_size, room);
  outcome->sent = code == 0;
  size_t size = room_size;
  if (code == 0) code = context->receive(context, &size, room, WAIT_FOR_EVER);
  outcome->size = code == 0 ? (uint32_t)size : 0;
  outcome->code = code;
  atomic_store_explicit(&outcome->ended, 1, memory_order_release);
  return code;
}

/**
 * Looks for at most `longest_us` microseconds whether the exchange on another thread has ended, giving the processor to whoever else wants
 * it. 1: it has; 0: not yet, or the processor was away for longer than that.
 */
VISIBLE uint32_t aziot_tcti_ended_within(const struct outcome *outcome, uint32_t longest_us) {
  const int64_t until = now_us() + longest_us;
  while (atomic_load_explicit(&outcome->ended, memory_order_acquire) == 0) {
    sched_yield();
    if (now_us() > until) return 0;
  }
  return 1;
}
