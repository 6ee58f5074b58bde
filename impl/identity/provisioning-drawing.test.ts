import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { accessIn, type Phase, type ProvisioningState, TRANSITIONS } from './provisioning-state.ts';

const DOCS = readFileSync(new URL('../../docs/identity.md', import.meta.url), 'utf8');
const plain = (name: string) => name.replaceAll('-', '_');

it('docs/identity.md draws exactly the edges of the table', () => {
  const [drawing = ''] = /```mermaid\n[^`]*```/.exec(DOCS) ?? [];
  const drawn = [...drawing.matchAll(/^ {4}(\w+) --> (\w+): (\w+)$/gm)].map(([, from, to, event]) => [from, event, to]);
  const table = Object.entries(TRANSITIONS).flatMap(([from, row]) =>
    Object.entries(row).map(([event, to]) => [plain(from), plain(event), plain(to)]),
  );
  const edges = table.filter(([, , to]) => to !== 'same');
  expect(drawn.map(String).sort()).toEqual(edges.map(String).sort());
  for (const event of new Set(table.map(([, name]) => name))) expect(DOCS).toContain(`| \`${event}\` |`);
  for (const state of Object.keys(TRANSITIONS))
    expect(DOCS).toMatch(new RegExp(`^\\| (.*, )?${plain(state)}\\b.*\\|`, 'm'));
});

const WORDS = { answer: 'answered', hold: 'held', refuse: '400' };

it('docs/identity.md says of each state what callers get', () => {
  const rows = [
    ...DOCS.matchAll(/^\| ([\w, ]+) \| (answered|held|400)[^|]* \| (answered|held|400)[^|]* \| answered \|$/gm),
  ];
  const told = rows.flatMap(([, states = '', device, modules]) =>
    states.split(', ').map((name) => [name, device, modules]),
  );
  const device = { hubName: 'h', gatewayHost: 'h', deviceId: 'd', auth: { type: 'tpm' } };
  const real = (Object.keys(TRANSITIONS) as Phase[]).map((phase) => {
    const state = { phase, device } as unknown as ProvisioningState;
    return [plain(phase), WORDS[accessIn(state, 'device')], WORDS[accessIn(state, 'modules')]];
  });
  expect(told.map(String).sort()).toEqual(real.map(String).sort());
});
