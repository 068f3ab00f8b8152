/** Pause, continue, stop: requests from outside that the loop looks at between chunks of steps. */

export interface Control {
  readonly stopping: boolean;
  readonly paused: boolean;
  pause(): void;
  continue(): void;
  stop(): void;
  /** Asks for a checkpoint at the next chance. */
  requestCheckpoint(): void;
  /** True once for each request. */
  takeCheckpointRequest(): boolean;
  /** Resolves when the run is asked to stop. */
  stopped(): Promise<void>;
  /** Resolves when the run is neither paused nor kept waiting. */
  resumed(): Promise<void>;
}

export function createControl(): Control {
  let stopping = false;
  let paused = false;
  let wanted = false;
  let wake: (() => void)[] = [];
  let end: () => void = () => {};
  const stopped = new Promise<void>(resolve => {
    end = resolve;
  });
  const release = (): void => {
    for (const resolve of wake) resolve();
    wake = [];
  };
  return {
    get stopping() {
      return stopping;
    },
    get paused() {
      return paused && !stopping;
    },
    pause: () => {
      paused = true;
    },
    continue: () => {
      paused = false;
      release();
    },
    stop: () => {
      stopping = true;
      end();
      release();
    },
    requestCheckpoint: () => {
      wanted = true;
      release();
    },
    takeCheckpointRequest: () => {
      const was = wanted;
      wanted = false;
      return was;
    },
    stopped: () => stopped,
    resumed: () => (paused && !stopping && !wanted ? new Promise(resolve => wake.push(resolve)) : Promise.resolve()),
  };
}
