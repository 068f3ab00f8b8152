/** Types of system.mjs, which runs before anything is compiled. */
export function onPath(...names: string[]): string | undefined;
export function chromiumPath(): string | undefined;
export function ensureSystem(): string[];
