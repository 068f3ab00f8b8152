/** Identifiers that the manifest and the code share; a test compares them with package.json. */

/** Those that the server answers too are named in `serverCommands`. */
export const commands = {
  fetch: 'strata.fetch',
  train: 'strata.train',
  resume: 'strata.resume',
  pause: 'strata.pause',
  continue: 'strata.continue',
  stop: 'strata.stop',
  showPanel: 'strata.showPanel',
  refreshRuns: 'strata.refreshRuns',
  openSource: 'strata.openSource',
  revealRun: 'strata.revealRun',
  generate: 'strata.generate',
  predict: 'strata.predict',
  exportPytorch: 'strata.exportPytorch',
  showGraph: 'strata.showGraph',
  showKernels: 'strata.showKernels',
  showPlan: 'strata.showPlan',
  openManual: 'strata.openManual',
  restartServer: 'strata.restartServer',
  showLog: 'strata.showLog',
  copyDiagnostics: 'strata.copyDiagnostics',
} as const;

/** Of the panel of a run. */
export const viewType = 'strata.run';

export const views = { runs: 'strata.runs', model: 'strataModel' } as const;

/**
 * What `when` clauses ask for: a run is going on; a Strata source is, or was last, in front; the extension runs on a machine, be the window
 * in a browser (`isWeb` is true in Codespaces and tunnels too).
 */
export const contexts = {
  hasLiveRun: 'strata.hasLiveRun',
  hasSource: 'strata.hasSource',
  hasMachine: 'strata.hasMachine',
} as const;

/** Of read-only documents: what Strata makes of a train block. */
export const inspectScheme = 'strata-inspect';

export const languageId = 'strata';

/** Of tasks, and of the problem matcher for what `strata check` prints, which tasks of one's own may use. */
export const taskType = 'strata';
