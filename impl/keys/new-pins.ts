import type { Static } from 'typebox';
import type { Pkcs11Uri } from './pkcs11-uri.ts';
import type { PreloadedPlace } from './preloaded-uri.ts';
import { type KEYD_SCHEMA, type KeydSettings, readSettings } from './settings.ts';

const placeOf = ({ slot, object }: Pkcs11Uri): string =>
  JSON.stringify(['id' in slot ? `id ${slot.id}` : `label ${slot.label}`, object ?? null]);

function withPin(now: Pkcs11Uri, changed: Pkcs11Uri | undefined): Pkcs11Uri {
  return changed && placeOf(now) === placeOf(changed) ? { ...now, pin: changed.pin } : now;
}

function preloadedWithPin(now: PreloadedPlace, changed: PreloadedPlace | undefined): PreloadedPlace {
  return now.kind === 'token' && changed?.kind === 'token'
    ? { kind: 'token', uri: withPin(now.uri, changed.uri) }
    : now;
}

const pinsOf = ({ baseSlot, preloaded }: KeydSettings): string =>
  JSON.stringify([
    baseSlot?.pin ?? null,
    ...[...preloaded.values()].map((place) => (place.kind === 'token' ? (place.uri.pin ?? null) : null)),
  ]);

/**
 * The settings in force with the PINs of a changed configuration, for tokens and keys that it names as before; undefined where no PIN is
 * another one. Everything else of these tables needs a restart. Throws where the changed tables cannot be used.
 */
export function withNewPins(settings: KeydSettings, changed: Static<typeof KEYD_SCHEMA>): KeydSettings | undefined {
  const wanted = readSettings(changed);
  const preloaded = [...settings.preloaded].map(
    ([id, place]) => [id, preloadedWithPin(place, wanted.preloaded.get(id))] as const,
  );
  const result: KeydSettings = {
    ...settings,
    baseSlot: settings.baseSlot && withPin(settings.baseSlot, wanted.baseSlot),
    preloaded: new Map(preloaded),
  };
  return pinsOf(result) === pinsOf(settings) ? undefined : result;
}
