import { defineConfig } from 'vitest/config';

/** One editor after the other: they share the machine with the engine they measure. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    pool: 'forks',
    // A scenario goes on where the one before it ended.
    bail: 1,
    reporters: ['verbose'],
  },
});
