import { removeProject } from '../../registry/harbor/make-project.ts'
import { readProject } from '../../registry/harbor/projects.ts'
import { findRobot, removeRobot } from '../../registry/harbor/robots.ts'
import { findPolicy, removePolicy } from '../../registry/harbor/webhook-policies.ts'
import { type Done, isOurs } from './done.ts'
import { madeProjects } from './set-up-robot.ts'
import { POLICY } from './set-up-webhook.ts'
import type { Side } from './sides.ts'
import type { SetupRun } from './setup-run.ts'

const NOT_OURS = 'it was not made here'

/** Takes away what was made here: webhooks, then empty projects, and last the robot, which knows of them. */
export async function* undo(side: Side, run: SetupRun): AsyncGenerator<Done> {
  for (const { name } of side.projects) {
    const gone = await undoWebhook(side, name, run)
    if (gone !== undefined) yield gone
  }
  const robot = await findRobot(side.ask, side.login, run.signal)
  if (robot === undefined) return
  const done = { what: `the robot account ${side.login}`, at: side.config.id }
  if (!isOurs(robot)) {
    yield { ...done, did: 'left', note: NOT_OURS }
    return
  }
  for (const name of madeProjects(robot.description)) yield await undoProject(side, name, run)
  if (!run.dryRun) await removeRobot(side.ask, robot.id, run.signal)
  yield { ...done, did: 'removed', note: `its secret stays in ${side.secretFile.file}` }
}

async function undoWebhook(
  { ask, config }: Side,
  project: string,
  { dryRun, signal }: SetupRun,
): Promise<Done | undefined> {
  if ((await readProject(ask, project, signal)) === undefined) return undefined
  const known = await findPolicy(ask, project, POLICY, signal)
  if (known === undefined) return undefined
  const done = { what: `the webhook ${POLICY} of ${project}`, at: config.id }
  if (!isOurs(known)) return { ...done, did: 'left', note: NOT_OURS }
  if (!dryRun) await removePolicy(ask, { project, id: known.id }, signal)
  return { ...done, did: 'removed' }
}

async function undoProject(
  { ask, config }: Side,
  name: string,
  { dryRun, signal }: SetupRun,
): Promise<Done> {
  const done = { what: `the project ${name}`, at: config.id }
  const shown = await readProject(ask, name, signal)
  if (shown === undefined) return { ...done, did: 'kept', note: 'it is gone already' }
  const held = shown.repositories > 0 || (!dryRun && !(await removeProject(ask, name, signal)))
  return held ? { ...done, did: 'left', note: 'it is not empty' } : { ...done, did: 'removed' }
}
