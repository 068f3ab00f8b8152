/** `npm run bench [WORKLOAD…] [--profile] [--long]`: the workloads here, in PyTorch and in jax-js, in one run, with the ratios. The environment names the peers. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { BenchResult } from '../../engine/train/bench.ts';
import { benchLines } from '../../server/cli/commands/bench.ts';
import { benchWorkload, workloads } from '../../server/cli/workloads.ts';

interface PeerResult {
  readonly workload: string;
  readonly threads: number;
  readonly best: number;
  readonly median: number;
  readonly version: string;
}

/** What a user would take instead: a program that is not part of the project. */
interface Peer {
  readonly name: string;
  /** The program and its arguments, up to the names of the workloads; empty where nobody has said where it is. */
  readonly command: readonly string[];
  readonly remedy: string;
}

/** All take turns, so that whatever else the machine does meets all. */
const ROUNDS = 3;
const PEER_REPEATS = 21;
/** `--long`: growth of memory is measured over so many steps, if they take no longer than so many seconds. */
const LONG = { heapSteps: 100_000, heapSeconds: 300 };

function peersOf(folder: string): readonly Peer[] {
  const torch = {
    name: 'PyTorch',
    command: [process.env.STRATA_BENCH_PYTHON ?? 'python3', join(folder, 'torchPeer.py'), String(PEER_REPEATS)],
    remedy: 'set STRATA_BENCH_PYTHON to a python that has torch',
  };
  const home = process.env.STRATA_BENCH_JAX;
  const jax = {
    name: 'jax-js',
    command: home === undefined ? [] : [process.execPath, join(folder, 'jaxPeer.mjs'), home, String(PEER_REPEATS)],
    remedy: 'set STRATA_BENCH_JAX to a folder in which @jax-js/jax is installed',
  };
  return [torch, jax];
}

/** Results of one round of a peer; undefined, with the reason on stderr, where there is none. */
function runPeer({ name, command, remedy }: Peer, names: readonly string[]): readonly PeerResult[] | undefined {
  const [program, ...args] = command;
  if (program === undefined) {
    console.error(`no comparison with ${name}; ${remedy}`);
    return undefined;
  }
  const { status, stdout, stderr } = spawnSync(program, [...args, ...names], { encoding: 'utf8' });
  if (status === 0)
    return stdout
      .trim()
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as PeerResult);
  const reason = stderr?.trim().split('\n').at(-1) ?? 'no such program';
  console.error(`no comparison with ${name}: ${program}: ${reason}; ${remedy}`);
  return undefined;
}

const best = (rates: readonly number[]) => Math.max(...rates);

async function main(): Promise<void> {
  const [folder, ...args] = process.argv.slice(2);
  const profile = args.includes('--profile');
  const long = args.includes('--long');
  const asked = args.filter(arg => !arg.startsWith('--'));
  const names = asked.length > 0 ? asked : Object.keys(workloads);
  const load = loadavg()[0]!.toFixed(1);
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, load ${load}, Node ${process.version}`,
  );
  const own = new Map<string, BenchResult[]>(names.map(name => [name, []]));
  const found = new Map<Peer, PeerResult[] | undefined>(peersOf(folder!).map(peer => [peer, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const heap = round > 0 ? { heapSteps: 0 } : long ? LONG : {};
      const result = await benchWorkload(name, 'cpu', { profile: profile && round === 0, ...heap });
      own.get(name)!.push(result);
      console.log(benchLines(name, result).join('\n'));
    }
    for (const [peer, before] of found) {
      const results = before === undefined ? undefined : runPeer(peer, names);
      for (const result of results ?? []) console.log(peerLine(peer, result));
      found.set(peer, results && [...before!, ...results]);
    }
  }
  for (const name of names) {
    for (const [{ name: peer }, results] of found) {
      const same = results?.filter(result => result.workload === name) ?? [];
      if (same.length > 0) report(name, own.get(name)!, peer, same);
    }
  }
}

function peerLine({ name }: Peer, { workload, median, best: fastest, version, threads }: PeerResult): string {
  const rates = `${median.toFixed(0)} steps/s (best ${fastest.toFixed(0)})`;
  return `${workload.padEnd(14)} ${rates}, ${name} ${version}, ${threads} thread${threads === 1 ? '' : 's'}`;
}

/** Best against best, and median against median, each of the peer's better thread count. */
function report(name: string, own: readonly BenchResult[], peer: string, peers: readonly PeerResult[]): void {
  const bests = best(own.map(r => r.bestStepsPerSecond)) / best(peers.map(p => p.best));
  const medians = best(own.map(r => r.stepsPerSecond)) / best(peers.map(p => p.median));
  console.log(`${name.padEnd(14)} ${bests.toFixed(2)} times ${peer} (medians ${medians.toFixed(2)})`);
}

await main();
