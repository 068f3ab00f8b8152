/** Entry of the tests that run inside the extension host, in code-server and under @vscode/test-electron alike. */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

interface Outcome {
  readonly title: string;
  readonly error?: string;
  readonly ms: number;
}

/** VS Code calls this and reports a rejection as failure; the file tells the outcome even if the host dies. */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000 });
  mocha.suite.emit('pre-require', globalThis, 'suite', mocha);
  await import('./extension.ts');
  await import('./language.ts');
  await import('./training.ts');
  const outcomes: Outcome[] = [];
  const figures: Record<string, number> = {};
  Object.assign(globalThis, { strataFigures: figures });
  const failures = await new Promise<number>(resolve => {
    const runner = mocha.run(resolve);
    runner.on('pass', test => outcomes.push({ title: test.fullTitle(), ms: test.duration ?? 0 }));
    runner.on('fail', (test, error: Error) => {
      outcomes.push({ title: test.fullTitle(), error: error.stack ?? String(error), ms: test.duration ?? 0 });
    });
  });
  const file = process.env.STRATA_E2E_RESULT;
  if (file) writeFileSync(file, JSON.stringify({ failures, outcomes, figures }));
  if (failures > 0) throw new Error(`${failures} tests failed`);
}
