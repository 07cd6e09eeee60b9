import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import { Started } from '../../test/support/started.ts'
import { Auditor } from './auditor.ts'
import { descriptors, leaks } from './descriptors.ts'
import { faultsOf } from './faults.ts'
import { havoc } from './havoc.ts'
import { History } from './history.ts'
import { lastingKeys, leftovers } from './leftovers.ts'
import { client, type Counts, pushers } from './load.ts'
import { Random } from './random.ts'
import { Shelf } from './shelf.ts'
import { type Shape, type Site, startSite } from './site.ts'

const CLIENTS = 4
const PROMISES_KEPT_WITHIN_MS = 180_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    shape: { type: 'string', default: 'fleet' },
  },
})
const seed = Number(values.seed)
const shape: Shape = values.shape === 'up' ? 'up' : 'fleet'
const startedAt = performance.now()
const say = (line: string) => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7)} s  ${line}`)
}

const history = new History()
const counts: Counts = { pushes: 0, events: 0, pulls: 0, pulled: 0, unavailable: 0 }
const started = new Started()
try {
  await soak(Number(values.minutes) * 60_000)
} finally {
  await started[Symbol.asyncDispose]()
}
for (const violation of new Set(history.violations)) say(`VIOLATED: ${violation}`)
say(`${history.violations.length === 0 ? 'passed' : 'FAILED'}; seed ${seed}, shape ${shape}`)
process.exitCode = history.violations.length === 0 ? 0 : 1

async function soak(ms: number): Promise<void> {
  say(`seed ${seed}, shape ${shape}, ${ms / 60_000} minutes`)
  const shelf = await Shelf.build(seed, started)
  const site = await startSite(shape, started)
  const atStart = await descriptors(site)
  const ending = new AbortController()
  const auditing = new AbortController()
  const auditor = new Auditor(site.local.url, history)
  const audit = auditor.run(auditing.signal)
  const { signal } = ending
  const randoms = Array.from({ length: CLIENTS + 2 }, (_, number) => new Random(seed + number))
  const [forFaults = new Random(seed), forPushes = new Random(seed), ...forClients] = randoms
  const parts = { site, shelf, history, counts, signal }
  const struck = havoc({ faults: faultsOf(site), history, random: forFaults, signal, say })
  const load = [
    pushers({ ...parts, random: forPushes }),
    ...forClients.map((random) => client({ ...parts, random })),
  ]
  await pause(ms)
  ending.abort()
  const faults = await struck
  await Promise.all(load)
  await promisesKept(auditor)
  auditing.abort()
  await audit
  await nothingLeft(site, atStart)
  if (history.violations.length > 0) await keepEvidence(site)
  say(`${faults} faults; ${counts.pushes} pushes upstream, ${counts.events} events posted`)
  say(`${counts.pulls} pulls by clients: ${counts.pulled} whole, ${counts.unavailable} not`)
  say(`${auditor.manifests} manifests and ${auditor.blobs} blobs read and compared here`)
}

/** What was answered 202 is here, once everything works again. */
async function promisesKept(auditor: Auditor): Promise<void> {
  const open = new Map(history.promises())
  say(`no more faults; ${open.size} images were promised`)
  const deadline = performance.now() + PROMISES_KEPT_WITHIN_MS
  while (open.size > 0 && performance.now() < deadline) {
    for (const [image, version] of open) {
      if ((await auditor.look(image)) >= version) open.delete(image)
    }
    await pause(250)
  }
  say(`${history.promises().size - open.size} of them are here`)
  for (const [image, version] of open) {
    history.violated(`${image} was promised in version ${version}, and did not come`)
  }
}

async function nothingLeft(site: Site, atStart: Awaited<ReturnType<typeof descriptors>>) {
  // What was begun for clients may still be ending.
  await pause(5_000)
  for (const leak of leaks(atStart, await descriptors(site))) history.violated(leak)
  for (const left of await lastingKeys(site)) history.violated(left)
  for (const role of [...site.serving, ...site.workers]) {
    const { code, signal } = await role.current.stop()
    if (code !== 0) history.violated(`${role.name} ended with ${signal ?? `code ${code ?? 0}`}`)
  }
  for (const left of await leftovers(site)) history.violated(left)
}

/** What every process said, for whoever looks for the cause. */
async function keepEvidence({ serving, workers }: Site): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `pullsync-soak-${seed}-`))
  for (const role of [...serving, ...workers]) {
    await writeFile(join(folder, `${role.name}.log`), role.output().join('\n'))
  }
  say(`what each process said is in ${folder}`)
}
