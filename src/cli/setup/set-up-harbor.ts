import { RegistryError } from '../../registry/errors/registry-error.ts'
import { isHarbor } from '../../registry/harbor/projects.ts'
import { CommandError } from '../command-error.ts'
import type { Done } from './done.ts'
import { publicUpstreams, setUpProject } from './set-up-project.ts'
import { setUpRobot } from './set-up-robot.ts'
import { setUpWebhook, sourceSecret } from './set-up-webhook.ts'
import type { Side } from './sides.ts'
import { tryDelivery } from './try-delivery.ts'
import type { SetupRun } from './setup-run.ts'
import { undo } from './undo.ts'

export interface SetUp extends Omit<SetupRun, 'isPublicUpstream'> {
  readonly undo: boolean
  /** Whether each webhook is to prove itself. */
  readonly tryDeliveries: boolean
}

/** One after the other; what was done so far is known also when the next thing fails. */
export async function* setUpHarbor(sides: readonly Side[], wish: SetUp): AsyncGenerator<Done> {
  for (const side of sides) await requireHarbor(side, wish.signal)
  if (wish.undo) {
    const run: SetupRun = { ...wish, isPublicUpstream: () => false }
    for (const side of sides) yield* undo(side, run)
    return
  }
  const shared = await publicUpstreams(sides, wish.signal)
  const run: SetupRun = { ...wish, isPublicUpstream: ({ name }) => shared.has(name) }
  for (const side of sides) yield* setUpSide(side, run)
  if (!wish.dryRun && wish.tryDeliveries) yield* tryDeliveries(sides, run)
}

async function requireHarbor({ ask, admin, config }: Side, signal: AbortSignal): Promise<void> {
  await admin.check(signal).catch((cause: unknown) => {
    if (!(cause instanceof RegistryError) || cause.status !== 401) throw cause
    throw new CommandError(`${config.id} does not take the login of --admin`, { cause })
  })
  if (await isHarbor(ask, signal)) return
  throw new CommandError(`no Harbor answers for ${config.id} at ${config.url.origin}`)
}

async function* tryDeliveries(sides: readonly Side[], run: SetupRun): AsyncGenerator<Done> {
  for (const side of sides.filter(({ source }) => source !== undefined)) {
    for (const at of side.projects) yield await tryDelivery(side, at, run)
  }
}

async function* setUpSide(side: Side, run: SetupRun): AsyncGenerator<Done> {
  const made: string[] = []
  const there = []
  for (const each of side.projects) {
    const done = await setUpProject(side, each, run)
    yield done
    if (done.did === 'made') made.push(each.name)
    if (done.did !== 'failed') there.push(each)
  }
  // A project that is not there cannot be named by a robot.
  if (there.length === 0) return
  const set = { ...side, projects: there }
  yield await setUpRobot(set, made, run)
  const secret = await sourceSecret(set, run)
  if (secret === undefined) return
  for (const each of there) {
    // It is not there yet to be looked at.
    const isNew = run.dryRun && made.includes(each.name)
    if (isNew)
      yield { what: `the webhook pullsync of ${each.name}`, at: side.config.id, did: 'made' }
    else yield await setUpWebhook(set, each, secret, run)
  }
}
