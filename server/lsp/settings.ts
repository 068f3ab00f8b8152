/** Settings of the server: defaults, and a reader that takes whatever a client sends. */
import { defaultInlays, type InlaySettings } from '../ide/inlayHints.ts';

export interface Settings {
  readonly inlayHints: InlaySettings;
  readonly codeLens: boolean;
  /** Absolute path of a Node executable for the engine; machine-scoped in the client. */
  readonly runtime: string | undefined;
  readonly device: 'auto' | 'webgpu' | 'cpu' | undefined;
  /** Nothing is trained in a workspace that isn't. */
  readonly trusted: boolean;
}

/** Clients without workspace trust have decided by starting the server. */
export const defaultSettings: Settings = {
  inlayHints: defaultInlays,
  codeLens: true,
  runtime: undefined,
  device: undefined,
  trusted: true,
};

/** Reads the section `strata`; what is missing or of a wrong type stays as it was. */
export function readSettings(value: unknown, before: Settings): Settings {
  const section = record(value);
  const hints = record(section.inlayHints);
  return {
    inlayHints: {
      shapes: flag(hints.shapes, before.inlayHints.shapes),
      counts: flag(hints.counts, before.inlayHints.counts),
      parameters: flag(hints.parameters, before.inlayHints.parameters),
    },
    codeLens: flag(section.codeLens, before.codeLens),
    runtime: typeof section.runtime === 'string' ? section.runtime || undefined : before.runtime,
    device: devices.find(d => d === section.device) ?? before.device,
    trusted: flag(section.trusted, before.trusted),
  };
}

const devices = ['auto', 'webgpu', 'cpu'] as const;

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === 'boolean' ? value : otherwise;
}
