/** Algorithms of key pairs that keyd makes. */
export type PairAlgorithm = 'ec-p256' | 'rsa-2048' | 'rsa-4096';

const CHOICES: Readonly<Record<string, readonly PairAlgorithm[]>> = {
  'ec-p256': ['ec-p256'],
  'rsa-2048': ['rsa-2048'],
  'rsa-4096': ['rsa-4096'],
  '*': ['ec-p256', 'rsa-2048'],
};

/**
 * Reads `preferredAlgorithms`: names split at `:`, unknown and repeated ones dropped, `*` never means rsa-4096, absent means `*`
 * (spec/keys-service.md 6.3). The result may be empty.
 */
export function preferredAlgorithms(text: string | null | undefined): readonly PairAlgorithm[] {
  const names = (text ?? '*').split(':');
  return [...new Set(names.flatMap((name) => (Object.hasOwn(CHOICES, name) ? (CHOICES[name] ?? []) : [])))];
}
