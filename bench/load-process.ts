import { type Load, runLoad } from './load.ts';

// A process of its own, so that making the load does not slow what is measured. The load comes as JSON on standard input.
let text = '';
for await (const chunk of process.stdin) text += chunk;
process.stdout.write(JSON.stringify(await runLoad(JSON.parse(text) as Load)));
