import type { CatalogueFile } from '../catalogue.ts';
import { SCRIPT, STYLE } from './html-style.ts';
import { markup } from './markup.ts';

/** The requirements themselves as one HTML page, without any verdict. */
export function requirementsPage(files: readonly CatalogueFile[]): string {
  const count = files.reduce((sum, { requirements }) => sum + requirements.length, 0);
  const parts = files.map(({ title, document, requirements }) => {
    const rows = requirements.map(({ id, title: text, level, section, source, needs, quirk }) => {
      const words = markup(`${id} ${text} ${level} ${source}`.toLowerCase());
      const more = quirk === undefined ? '' : `<br><span class="meta">the reference: ${markup(quirk)}</span>`;
      return `<tr data-text="${words}" data-passed="no"><td class="id">${markup(id)}</td><td>${markup(text)}${more}</td><td class="meta">${level}</td><td class="meta">${markup(section)}</td><td class="meta">${source}</td><td class="meta">${needs.join(', ')}</td></tr>`;
    });
    return `<details class="part" open><summary>${markup(title)} <span class="meta">${markup(document)}, ${requirements.length} requirements</span></summary><div class="scroll"><table><thead><tr><th>Id</th><th>Requirement</th><th>Level</th><th>Section</th><th>Source</th><th>Needs</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div></details>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Requirements of the conformance suite</title><style>${STYLE}</style></head>
<body><h1>Requirements of the conformance suite</h1><p class="dim">${count} requirements. The same as data: aziot-conformance requirements --json</p>
<div class="find"><input type="search" id="find" placeholder="Find" aria-label="Find requirements"><label hidden><input type="checkbox" id="only"></label></div>
${parts.join('\n')}<p id="none" hidden>No requirement fits.</p><script>${SCRIPT}</script></body></html>
`;
}
