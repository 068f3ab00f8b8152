/** Types of lavapipe.mjs, which runs before anything is compiled. */
export const lavapipeManifest: string;
export function lavapipeLibraries(): string[];
export function fetchLavapipe(): boolean;
