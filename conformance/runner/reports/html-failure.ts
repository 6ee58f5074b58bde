import type { Catalogue } from '../catalogue.ts';
import type { Outcome } from '../run.ts';
import type { WireEvent } from '../trace.ts';
import { markup } from './markup.ts';
import { againCommand, type RunRecord } from './run-record.ts';

/** The anchor of a failed case in the page. */
export function failureAnchor(run: number, id: string): string {
  return `f${run}-${id.replace(/[^\w-]/g, (character) => `_${character.charCodeAt(0).toString(16)}`)}`;
}

/** One failed case: what was asked, expected and got beside each other, the wire, and how to run it alone. */
export function failureArticle(record: RunRecord, run: number, outcome: Outcome, catalogue: Catalogue): string {
  const entry = catalogue.of(outcome.id);
  const file = catalogue.files.find(({ requirements }) => entry !== undefined && requirements.includes(entry));
  const why = record.tolerated[outcome.id];
  const place = [
    file?.document,
    entry?.section ? `section ${entry.section}` : '',
    `source: ${entry?.source ?? outcome.source}`,
  ];
  const sentence = entry && entry.title !== outcome.text ? `<p>${markup(entry.title)}</p>` : '';
  return `<article id="${failureAnchor(run, outcome.id)}" class="failure${why === undefined ? '' : ' tolerated'}">
<h3><code>${markup(outcome.id)}</code> ${markup(outcome.text)}</h3>
${sentence}<p class="meta">${markup(record.implementation)} · ${outcome.store} · ${entry?.level ?? outcome.level} · ${markup(place.filter(Boolean).join(', '))}</p>
${why === undefined ? '' : `<p class="quirk">Tolerated: ${markup(why)}</p>`}${entry?.quirk ? `<p class="meta">The reference: ${markup(entry.quirk)}</p>` : ''}
<pre class="reason">${markup(outcome.reason ?? '')}</pre>
${sides(outcome)}${wire(outcome.exchange ?? [], outcome.exchangeDropped ?? 0)}
<p class="meta">Run just this one:</p><pre class="again">${markup(againCommand(record, outcome.id))}</pre>
</article>`;
}

function sides({ expected, got }: Outcome): string {
  if (expected === undefined && got === undefined) return '';
  return `<div class="sides"><div><span class="meta">expected</span><pre class="expected-side">${markup(expected ?? '')}</pre></div><div><span class="meta">got</span><pre class="got-side">${markup(got ?? '')}</pre></div></div>`;
}

function wire(events: readonly WireEvent[], dropped: number): string {
  if (events.length === 0) return '<p class="meta">Nothing went over a wire of the suite.</p>';
  const lines = events.map(({ at, connection, kind, text }) => {
    const head = `<small>${at} ms · connection ${connection} · ${kind}</small>`;
    return kind === 'open' || kind === 'closed'
      ? `<p>${head} <small>${markup(text)}</small></p>`
      : `${head}<pre class="${kind}">${markup(text)}</pre>`;
  });
  const left = dropped > 0 ? `<p class="meta">${dropped} earlier events are left out.</p>` : '';
  return `<details class="wire" open><summary>On the wire</summary>${left}${lines.join('\n')}</details>`;
}
