/** `npm run bench [WORKLOAD…]`: the workloads here and in PyTorch, in one run, with the ratios. STRATA_BENCH_PYTHON names a python that has torch. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import type { BenchResult } from '../../engine/train/bench.ts';
import { benchLines } from '../../server/cli/commands/bench.ts';
import { benchWorkload, workloads } from '../../server/cli/workloads.ts';

interface PeerResult {
  readonly workload: string;
  readonly threads: number;
  readonly best: number;
  readonly median: number;
  readonly torch: string;
}

/** The two take turns, so that whatever else the machine does meets both. */
const ROUNDS = 3;
const PEER_REPEATS = 21;

/** Results of one round of PyTorch; undefined, with the reason on stderr, where there is none. */
function runPeer(names: readonly string[], script: string): readonly PeerResult[] | undefined {
  const python = process.env.STRATA_BENCH_PYTHON ?? 'python3';
  const { status, stdout, stderr } = spawnSync(python, [script, String(PEER_REPEATS), ...names], { encoding: 'utf8' });
  if (status === 0)
    return stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as PeerResult);
  const reason = stderr?.trim().split('\n').at(-1) ?? 'no such program';
  console.error(`no comparison with PyTorch: ${python}: ${reason}; set STRATA_BENCH_PYTHON to a python that has torch`);
  return undefined;
}

const best = (rates: readonly number[]) => Math.max(...rates);

async function main(): Promise<void> {
  const [script, ...args] = process.argv.slice(2);
  const profile = args.includes('--profile');
  const asked = args.filter(arg => !arg.startsWith('--'));
  const names = asked.length > 0 ? asked : Object.keys(workloads);
  const load = loadavg()[0]!.toFixed(1);
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, load ${load}, Node ${process.version}`,
  );
  const own = new Map<string, BenchResult[]>(names.map(name => [name, []]));
  const peers: PeerResult[] = [];
  let hasPeer = true;
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const result = await benchWorkload(name, 'cpu', { profile: profile && round === 0, heap: round === 0 });
      own.get(name)!.push(result);
      console.log(benchLines(name, result).join('\n'));
    }
    const results: readonly PeerResult[] | undefined = hasPeer ? runPeer(names, script!) : undefined;
    hasPeer = results !== undefined;
    for (const { workload, threads, median, best: fastest, torch } of results ?? []) {
      console.log(
        `${workload.padEnd(14)} ${median.toFixed(0)} steps/s (best ${fastest.toFixed(0)}), PyTorch ${torch}, ${threads} thread${threads === 1 ? '' : 's'}`,
      );
    }
    peers.push(...(results ?? []));
  }
  for (const name of names)
    report(
      name,
      own.get(name)!,
      peers.filter(p => p.workload === name),
    );
}

/** Best against best, and median against median, each of PyTorch's better thread count. */
function report(name: string, own: readonly BenchResult[], peers: readonly PeerResult[]): void {
  if (peers.length === 0) return;
  const bests = best(own.map(r => r.bestStepsPerSecond)) / best(peers.map(p => p.best));
  const medians = best(own.map(r => r.stepsPerSecond)) / best(peers.map(p => p.median));
  console.log(`${name.padEnd(14)} ${bests.toFixed(2)} times PyTorch (medians ${medians.toFixed(2)})`);
}

await main();
