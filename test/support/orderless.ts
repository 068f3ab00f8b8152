/** Programs as text in which the order of nodes makes no difference. */
import { createHash } from 'node:crypto';

/**
 * Nodes of graphs named by what they compute instead of by number, and sorted: graphs that differ in the order of their nodes alone are equal.
 * So are loops whose bodies do, for their leaves are named by what stands there, and their results sorted.
 */
export function orderless(text: string): string {
  return byContent(text.split('\n').values(), () => undefined).join('\n');
}

/** The lines up to the end, or to that of the body they are in; `leaf` says what stands for one of its inputs. */
function byContent(rest: Iterator<string, undefined>, leaf: (name: string) => string | undefined): string[] {
  const names = new Map<string, string>();
  const [nodes, lines]: string[][] = [[], []];
  for (let { value: line } = rest.next(); line !== undefined; line = rest.next().value) {
    if (/^\W*\}\W*$/.test(line) && leaf('') !== undefined) break;
    const [, name, value] = /^\W*(%\d+) = (.*)$/.exec(line) ?? [];
    const known = (value ?? line).replaceAll(/%\d+/g, ref => names.get(ref) ?? ref);
    if (name === undefined) lines!.push(...nodes!.splice(0).sort(), known);
    else {
      const [, input = ''] = /^input \{name: \W*(\w+\d+)\W*\}/.exec(known) ?? [];
      const computed = known.startsWith('scan(') ? loop(known, rest) : (leaf(input || '-') ?? known);
      names.set(name, `%${createHash('sha1').update(computed).digest('base64url')}`);
      nodes!.push(computed);
    }
  }
  return leaf('') === undefined ? [...lines!, ...nodes!.sort()] : lines!.filter(line => /^\W*result /.test(line));
}

/** A loop by its results, given its line and those of its body. */
function loop(line: string, rest: Iterator<string, undefined>): string {
  const [, list, carries, sequences] = /^scan\(([^)]*)\) .*carries: (\d+), sequences: (\d+)/.exec(line)!;
  const inputs = list!.split(', ');
  const first: Readonly<Record<string, number>> = {
    sequence: Number(carries),
    constant: Number(carries) + Number(sequences),
  };
  rest.next();
  const results = byContent(rest, name => {
    const [, kind = '', at] = /^(sequence|constant)(\d+)$/.exec(name) ?? [];
    return name === '' ? '' : at === undefined ? undefined : `leaf ${inputs[first[kind]! + Number(at)]}`;
  });
  const anyOrder = results
    .map(result =>
      result
        .trim()
        .replace(/output\d+/, 'output')
        .replace(/[",]+$/, ''),
    )
    .sort();
  const rule = line.replace(/^scan\([^)]*\)/, 'scan').replace(/sequences: \d+/, '');
  return [rule, ...inputs.slice(0, Number(carries)), ...anyOrder].join(' ');
}
