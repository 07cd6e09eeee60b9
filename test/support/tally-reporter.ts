import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Prints one last line, `N passed, N failed`, counted by the runner. Files and suites that broke
 * before their tests could run, and errors that no test owns, count as failed.
 */
// eslint-disable-next-line import-x/no-default-export -- vitest loads a reporter from its file's default export
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    process.stdout.write(`${tally(modules, unhandled.length)}\n`)
  }
}

function tally(modules: readonly TestModule[], unhandledErrors: number): string {
  const counts = { passed: 0, failed: unhandledErrors, skipped: 0, pending: 0 }
  for (const module of modules) {
    for (const test of module.children.allTests()) counts[test.result().state] += 1
    counts.failed += brokenParts(module)
  }
  // A test that was still running when the run ended did not pass.
  const failed = counts.failed + counts.pending
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`
  return `${counts.passed} passed, ${failed} failed${skipped}`
}

function brokenParts(module: TestModule): number {
  const suites = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0)
  return suites.length + (module.errors().length > 0 ? 1 : 0)
}
