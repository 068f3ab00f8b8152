/** `strata lsp --stdio`: the language server, for any editor. It is a program of its own, so that the command line starts fast. */
import { UsageError } from '../exit.ts';

export async function lsp(options: { readonly stdio?: boolean }): Promise<void> {
  if (options.stdio !== true)
    throw new UsageError('expected --stdio: the server speaks over standard input and output');
  const server = new URL('./server.js', import.meta.url).href;
  await import(server);
}
