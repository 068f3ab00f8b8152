#!/usr/bin/env node
/** The command line: `strata check | fmt | fetch | train | resume | evaluate | predict | generate | export | runs | lsp | bench`. Parsing and help; each command has a file of its own. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { version } from '../../package.json';
import { emissionNames } from '../inspect/emit.ts';
import { bench } from './commands/bench.ts';
import { check } from './commands/check.ts';
import { evaluate } from './commands/evaluate.ts';
import { exportPytorch } from './commands/export.ts';
import { fetch } from './commands/fetch.ts';
import { fmt } from './commands/fmt.ts';
import { generate } from './commands/generate.ts';
import { lsp } from './commands/lsp.ts';
import { predict } from './commands/predict.ts';
import { runs } from './commands/runs.ts';
import { attach, resume, train } from './commands/train.ts';
import { handedToEngineRuntime } from './engineRuntime.ts';
import { exitCodes, runCommand } from './exit.ts';

const program = new Command('strata')
  .description('describe a neural network in one file, check its shapes, train it')
  .version(version)
  .showSuggestionAfterError()
  .exitOverride(error => process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage));

const device = new Option('--device <device>', 'where to compute').choices(['auto', 'webgpu', 'cpu']);
const json = new Option('--json', 'one JSON value a line instead of text');

program
  .command('check')
  .description('report errors; look inside')
  .argument('<files...>', '.strata files')
  .addOption(new Option('--format <format>', 'how to print diagnostics').choices(['text', 'json']).default('text'))
  .addOption(new Option('--emit <what>', 'print what Strata makes of the file').choices([...emissionNames]))
  .action((files, options) => runCommand(() => check(files, options)));

program
  .command('fmt')
  .description('rewrite files in the canonical form')
  .argument('<files...>', '.strata files')
  .option('--check', 'only say which files are not formatted')
  .action((files, options) => runCommand(() => fmt(files, options)));

program
  .command('fetch')
  .description('download the data that files name by address; nothing else but training does')
  .argument('<files...>', '.strata files')
  .action(files => runCommand(() => fetch(files)));

program
  .command('train')
  .description('train in a background process and follow it; Ctrl-C stops it with a checkpoint')
  .argument('<file>', '.strata file')
  .argument('[train]', 'name of the train block; the first one when absent')
  .addOption(device)
  .option('--epochs <n>', 'train for this many epochs', positive)
  .option('--steps <n>', 'train for this many steps', positive)
  .option('--seed <n>', 'seed of initialisation, shuffling and dropout', natural)
  .option('--run <dir>', 'folder of the run; a new one below .strata/runs when absent')
  .addOption(json)
  .action((file, name, options) => runCommand(() => train(file, name, options)));

program
  .command('resume')
  .description('go on from the last checkpoint of a run')
  .argument('<run>', 'run folder, or its name')
  .addOption(json)
  .action((run, options) => runCommand(() => resume(run, options)));

program
  .command('attach')
  .description('follow a live run; Ctrl-C leaves it to itself')
  .argument('<run>', 'run folder, or its name')
  .addOption(json)
  .action((run, options) => runCommand(() => attach(run, options)));

program
  .command('evaluate')
  .description('losses and metrics of a run on a split of its data')
  .argument('<run>', 'run folder, or its name')
  .addOption(new Option('--split <split>', 'which samples').choices(['train', 'validation', 'test']).default('test'))
  .addOption(json)
  .action((run, options) => runCommand(() => handedToEngineRuntime() || evaluate(run, options)));

program
  .command('predict')
  .description('what the model of a run says of new files: rows of a CSV, images, recordings, arrays')
  .argument('<run>', 'run folder, or its name')
  .argument('<files...>', 'files of the kind that the run was trained on')
  .addOption(json)
  .action((run, files, options) => runCommand(() => handedToEngineRuntime() || predict(run, files, options)));

program
  .command('generate')
  .description('text drawn from the language model of a run')
  .argument('<run>', 'run folder, or its name')
  .option('--prompt <text>', 'text to go on from')
  .option('--tokens <n>', 'how many follow', positive)
  .option('--temperature <t>', 'below 1 the likely becomes likelier; 0 always takes the likeliest', real)
  .option('--top-k <k>', 'draw from the k likeliest only', positive)
  .option('--seed <n>', 'another seed, another text', natural)
  .addOption(json)
  .action((run, options) => runCommand(() => handedToEngineRuntime() || generate(run, options)));

program
  .command('export')
  .description('the model of a run for another program: readable code, the weights, a script that runs it')
  .addArgument(new Argument('<format>', 'what to write').choices(['pytorch']))
  .argument('<run>', 'run folder, or its name')
  .option('--out <dir>', 'folder to write; NAME-pytorch when absent')
  .action((_, run, options) => runCommand(() => handedToEngineRuntime() || exportPytorch(run, options)));

program
  .command('runs')
  .description('list the runs of this folder')
  .addOption(json)
  .action(options => runCommand(() => runs(options)));

program
  .command('bench')
  .description('how fast the built-in workloads train on this machine')
  .argument('[workloads...]', 'simplenet, optimizednet; all when absent')
  .addOption(device)
  .option('--profile', 'also time each kernel')
  .addOption(json)
  .action((workloads, options) => runCommand(() => handedToEngineRuntime() || bench(workloads, options)));

program
  .command('lsp')
  .description('the language server, for any editor')
  .option('--stdio', 'speak over standard input and output')
  .action(options => runCommand(() => lsp(options)));

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  throw error;
});

await program.parseAsync();

function positive(text: string): number {
  const value = natural(text);
  if (value === 0) throw new InvalidArgumentError('expected a whole number of at least 1.');
  return value;
}

function real(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('expected a number of at least 0.');
}

function natural(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected a whole number.');
}
