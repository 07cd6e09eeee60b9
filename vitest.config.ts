import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Real registries and a real Redis run beside each test file.
    maxWorkers: 2,
    // These share the machine's cores with the tests: what fails twice in CI has failed, and the report marks what needed
    // a second try, so that it is looked into. By hand nothing is tried again.
    retry: process.env['CI'] === undefined ? 0 : 1,
    // What never ends is a failure; what takes long on a busy machine is none.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    reporters: ['default', './test/support/tally-reporter.ts'],
  },
})
