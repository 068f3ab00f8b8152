import { delimiter } from 'node:path';
import { defineConfig } from 'vitest/config';
import { lavapipeLibraries } from './test/support/lavapipe.mjs';

// Processes read this when they start, and those of the tests have yet to.
process.env.LD_LIBRARY_PATH = [...lavapipeLibraries(), process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);

// Unit and integration tests; the tests that drive editors live in test/e2e and have runners of their own.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'], testTimeout: 30_000, pool: 'forks' },
});
