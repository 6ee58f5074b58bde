/** The commands of a page's blocks of one kind (```` ```sh KIND ````), in order. */
export function docBlocks(page: string, kind: string): string[] {
  return [...page.matchAll(/^```sh (\S+)\n([\s\S]*?)^```$/gm)]
    .filter(([, of]) => of === kind)
    .map(([, , commands]) => commands ?? '');
}
