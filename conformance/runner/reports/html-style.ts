/** The look of the report: readable on a phone, light and dark, nothing loaded from elsewhere. */
export const STYLE = `
:root { color-scheme: light dark; --line: #d8dce3; --soft: #f4f6f9; --ink: #1c2330; --dim: #5d6879; --ok: #14733b; --bad: #b3261e; --warn: #8a5a00; --page: #fff; --accent: #2456c8 }
@media (prefers-color-scheme: dark) { :root { --line: #343c49; --soft: #1d232d; --ink: #e7ebf2; --dim: #9aa6b8; --ok: #62c98a; --bad: #ff8a80; --warn: #e6b455; --page: #13171e; --accent: #8ab0ff } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; line-height: 1.2; margin: .2rem 0 } h2 { font-size: 1.15rem; margin: 1.8rem 0 .5rem } h3 { font-size: 1rem; margin: 0 }
p { margin: .3rem 0 } a { color: var(--accent) } .dim { color: var(--dim) } code, pre { font: .82rem/1.45 ui-monospace, monospace }
.sum { display: flex; flex-wrap: wrap; gap: .5rem; margin: .8rem 0 } .sum div { flex: 1 1 6.5rem; border: 1px solid var(--line); border-radius: .6rem; padding: .5rem .7rem }
.sum b { display: block; font-size: 1.4rem; line-height: 1.2 } .passed { color: var(--ok) } .failed { color: var(--bad) } .quirk, .expected, .stale { color: var(--warn) } .not-run { color: var(--dim) }
.verdict { font-weight: 700 } .bar { display: flex; height: .5rem; border-radius: .25rem; overflow: hidden; background: var(--line) } .bar i { display: block }
article { border: 1px solid var(--line); border-left: .3rem solid var(--bad); border-radius: .5rem; padding: .8rem; margin: .8rem 0; scroll-margin-top: 1rem } article.tolerated { border-left-color: var(--warn) }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem } .sides > div, .wire { min-width: 0 } pre { background: var(--soft); border-radius: .4rem; padding: .6rem; margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow-y: auto }
.wire pre { border-left: .25rem solid var(--line) } .wire pre.sent { border-left-color: var(--accent) } .wire pre.received { border-left-color: var(--ok) } .wire small { color: var(--dim) }
.find { position: sticky; top: 0; background: var(--page); padding: .6rem 0; display: flex; flex-wrap: wrap; gap: .5rem; z-index: 1 } .find input[type=search] { flex: 1 1 12rem; font: inherit; padding: .45rem .6rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--soft); color: inherit } .find label { display: flex; align-items: center; gap: .35rem }
details { margin: .4rem 0 } summary { cursor: pointer; padding: .35rem 0; font-weight: 600 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .35rem .45rem; border-top: 1px solid var(--line) } th { font-size: .8rem; color: var(--dim); font-weight: 600 } td.cell, th.cell { text-align: center; white-space: nowrap } td.id { white-space: nowrap; font-family: ui-monospace, monospace; font-size: .85rem }
.mark { font-weight: 700; text-decoration: none } .meta { font-size: .8rem; color: var(--dim) } .scroll { overflow-x: auto }
@media (max-width: 40rem) { .sides { grid-template-columns: 1fr } body { padding: .7rem } td.id { white-space: normal; min-width: 4.2rem; overflow-wrap: anywhere } th, td { padding: .35rem .25rem } }
@media print { .find { display: none } pre { max-height: none } }
`;

/** Search and "only what did not pass"; without scripts the page shows everything. */
export const SCRIPT = `
const find = document.getElementById('find'), only = document.getElementById('only'), none = document.getElementById('none');
function filter() {
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of document.querySelectorAll('tr[data-text]')) {
    const fits = words.every((word) => row.dataset.text.includes(word)) && (!only.checked || row.dataset.passed === 'no');
    row.hidden = !fits;
    if (fits) shown += 1;
  }
  for (const part of document.querySelectorAll('details.part')) {
    const any = part.querySelector('tr[data-text]:not([hidden])');
    part.hidden = !any;
    if (any && (words.length > 0 || only.checked)) part.open = true;
  }
  none.hidden = shown > 0;
}
find.addEventListener('input', filter);
only.addEventListener('change', filter);
`;
