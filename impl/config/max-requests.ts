import Type from 'typebox';

/** Connections of one uid where the configuration says nothing (spec/transport.md 5). */
export const DEFAULT_MAX_REQUESTS = 10;

/** Schema of `max_requests`: at least 1, since 0 would shut everybody out (stricter than the reference). */
export const MAX_REQUESTS = Type.Optional(Type.Integer({ minimum: 1, maximum: 0xffff_ffff }));

/** Schema of a Unix uid. */
export const UID = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
