import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/vitest/longest-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Real registries and a real Redis run beside each test file, and half of its time it waits for them.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // What never ends is a failure; what takes long on a busy machine is none.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    reporters: ['default', './test/support/vitest/tally-reporter.ts'],
  },
})
