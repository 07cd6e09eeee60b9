import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import { Started } from '../../test/support/process/started.ts'
import { Auditor } from './auditor.ts'
import { descriptors, leaks } from './descriptors.ts'
import { faultsOf } from './faults.ts'
import { havoc } from './havoc.ts'
import { History } from './history.ts'
import { lastingKeys, leftUploads, unknownSpoolFiles } from './leftovers.ts'
import { client, type Counts, pushers } from './load.ts'
import { Random } from './random.ts'
import { Shelf } from './shelf.ts'
import { type Shape, type Site, startSite } from './site.ts'

const CLIENTS = 4
const PROMISES_KEPT_WITHIN_MS = 180_000
/** A lease that lapses, a sweep that takes three at a time, and a machine that is busy. */
const CANCELLED_WITHIN_MS = 180_000
/** Of one process or over one way: the slots of its upstream. */
const UPLOADS_AT_ONCE = 8

type Descriptors = Awaited<ReturnType<typeof descriptors>>

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
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // What it has started, and mounted, ends with it.
  process.once(signal, () => void started[Symbol.asyncDispose]().finally(() => process.exit(1)))
}
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
  await nothingLeft(site, faults, atStart)
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

async function nothingLeft(site: Site, faults: number, atStart: Descriptors) {
  await uploadsCancelled(site, faults)
  for (const leak of leaks(atStart, await descriptors(site))) history.violated(leak)
  for (const left of await lastingKeys(site)) history.violated(left)
  for (const role of [...site.serving, ...site.workers]) {
    await role.end().catch((error: unknown) => {
      history.violated(`${role.name}: ${String(error)}`)
    })
  }
  for (const left of await unknownSpoolFiles(site)) history.violated(left)
}

/**
 * What a process has left is cancelled by another one, but an upload of which nobody was told: whoever asked for it
 * died before the answer came, or the answer was cut. Nothing is sent to such an upload.
 */
async function uploadsCancelled(site: Site, faults: number): Promise<void> {
  const deadline = performance.now() + CANCELLED_WITHIN_MS
  let left = await leftUploads(site)
  while (!site.localKeepsUploads && left.withBytes.length > 0 && performance.now() < deadline) {
    await pause(1_000)
    left = await leftUploads(site)
  }
  say(`${left.withBytes.length} upload sessions with bytes are left, ${left.empty.length} without`)
  if (site.localKeepsUploads) say('this local registry keeps what was cut: it has to purge it')
  else for (const path of left.withBytes) history.violated(`${path} is left, with bytes`)
  const mostEmpty = faults * UPLOADS_AT_ONCE
  if (left.empty.length <= mostEmpty) return
  history.violated(`${left.empty.length} uploads are left, and ${mostEmpty} may be lost at most`)
}

/** What every process said, for whoever looks for the cause. */
async function keepEvidence({ serving, workers, local, upstream }: Site): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `pullsync-soak-${seed}-`))
  const servers = [
    { name: 'local', output: () => local.output() },
    { name: 'upstream', output: () => upstream.output() },
  ]
  for (const each of [...serving, ...workers, ...servers]) {
    await writeFile(join(folder, `${each.name}.log`), each.output().join('\n'))
  }
  say(`what each process said is in ${folder}`)
}
