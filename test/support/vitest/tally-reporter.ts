import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** What scripts/test.sh keeps of a first run for a second one. */
interface FirstRun {
  /** Of all that is not run again. */
  readonly tally: Tally
  /** The files in which something failed. */
  readonly again: readonly string[]
}

/**
 * Prints one last line, `N passed, N failed`, counted by the runner. Files and suites that broke
 * before their tests could run, and errors that no test owns, count as failed.
 */
// eslint-disable-next-line import-x/no-default-export -- vitest loads a reporter from its file's default export
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const kept = process.env['PULLSYNC_TALLY']
    const first = kept === undefined ? undefined : readFirstRun(kept)
    const own = tallyOf(modules)
    print(sum([own, { ...NONE, failed: unhandled.length }, first?.tally ?? NONE]))
    if (kept !== undefined && first === undefined) writeFirstRun(kept, modules, unhandled.length)
  }
}

const NONE: Tally = { passed: 0, failed: 0, skipped: 0 }

function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce((all, each) => ({
    passed: all.passed + each.passed,
    failed: all.failed + each.failed,
    skipped: all.skipped + each.skipped,
  }))
}

function print({ passed, failed, skipped }: Tally): void {
  const last = skipped === 0 ? '' : `, ${skipped} skipped`
  process.stdout.write(`${passed} passed, ${failed} failed${last}\n`)
}

function readFirstRun(file: string): FirstRun | undefined {
  const text = readFileSync(file, 'utf8')
  return text === '' ? undefined : (JSON.parse(text) as FirstRun)
}

function writeFirstRun(file: string, modules: readonly TestModule[], unhandled: number): void {
  const good = modules.filter((module) => tallyOf([module]).failed === 0)
  const again = modules.filter((module) => !good.includes(module))
  const run: FirstRun = {
    tally: { ...tallyOf(good), failed: unhandled },
    again: again.map(({ moduleId }) => relative(process.cwd(), moduleId)),
  }
  writeFileSync(file, JSON.stringify(run))
}

function tallyOf(modules: readonly TestModule[]): Tally {
  const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
  for (const module of modules) {
    for (const test of module.children.allTests()) counts[test.result().state] += 1
    counts.failed += brokenParts(module)
  }
  const { pending, ...told } = counts
  // A test that was still running when the run ended did not pass.
  return { ...told, failed: counts.failed + pending }
}

function brokenParts(module: TestModule): number {
  const suites = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0)
  return suites.length + (module.errors().length > 0 ? 1 : 0)
}
