import { defineConfig } from 'vitest/config';

// Unit and integration tests; the tests that drive editors live in test/e2e and have runners of their own.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'], testTimeout: 30_000, pool: 'forks' },
});
