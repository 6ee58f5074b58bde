import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planReconciliation } from './reconciliation.ts';

describe('plan of a reconciliation', () => {
  it.each([
    ['not current, managed: removed', ['x'], [], ['x'], { remove: ['x'], keep: [], create: [] }],
    ['current and managed: kept', ['x'], ['x'], ['x'], { remove: [], keep: ['x'], create: [] }],
    ['current, not managed: removed and made', ['x'], ['x'], [], { remove: ['x'], keep: [], create: ['x'] }],
    ['neither: left alone', ['x'], [], [], { remove: [], keep: [], create: [] }],
    ['gone from the hub: made', [], ['x'], ['x'], { remove: [], keep: [], create: ['x'] }],
    ['case counts', ['kept2'], ['KEPT2'], ['KEPT2'], { remove: [], keep: [], create: ['KEPT2'] }],
  ] as const)('%s', (_, listed, current, managed, plan) => {
    expect(planReconciliation({ listed, current, managed, isHalfMade: () => false })).toEqual(plan);
  });

  it('creates in ascending byte order', () => {
    const current = ['b', 'a', '_', 'B', '9', '10'];
    const { create } = planReconciliation({ listed: [], current, managed: [], isHalfMade: () => false });
    expect(create).toEqual(['10', '9', 'B', '_', 'a', 'b']);
  });

  it('a half-made module is created to its end when it is wanted, and removed when it is not', () => {
    const facts = { listed: ['a', 'b'], current: ['a'], managed: ['a', 'b'], isHalfMade: () => true };
    expect(planReconciliation(facts)).toEqual({ remove: ['b'], keep: [], create: ['a'] });
  });

  it('afterwards every current module is there, and nothing else has changed', () => {
    const names: fc.Arbitrary<string[]> = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'));
    fc.assert(
      fc.property(names, names, names, names, (listed, current, managed, halfMade) => {
        const isHalfMade = (name: string) => halfMade.includes(name);
        const { remove, create } = planReconciliation({ listed, current, managed, isHalfMade });
        const after = new Set([...listed.filter((name) => !remove.includes(name)), ...create]);
        const foreign = listed.filter((name) => !current.includes(name) && !managed.includes(name));
        expect([...after].sort()).toEqual([...new Set([...current, ...foreign])].sort());
      }),
    );
  });
});
