import { isDeepStrictEqual } from 'node:util'
import { RegistryError } from '../../registry/errors/registry-error.ts'
import {
  changeRobot,
  findRobot,
  makeRobot,
  type Robot,
  renewSecret,
  type RobotPermission,
  type RobotWish,
} from '../../registry/harbor/robots.ts'
import { CommandError } from '../command-error.ts'
import { type Done, isOurs, MARK } from './done.ts'
import { writeSecret } from './secrets.ts'
import { keysOf, permissionsOf, type Side } from './sides.ts'
import type { SetupRun } from './setup-run.ts'

/**
 * The robot's description is also the note of which local projects were made here, for the way back. What Harbor
 * has no room for there stays when the rest goes.
 */
export function descriptionOf(made: readonly string[]): string {
  let description = MARK
  for (const name of [...made].sort()) {
    const longer = `${description}${description === MARK ? ` ${MADE}` : ', '}${name}`
    if (longer.length <= MAX_DESCRIPTION) description = longer
  }
  return description
}

export function madeProjects(description: string): readonly string[] {
  const [, names = ''] = description.split(MADE)
  return names === '' ? [] : names.split(', ')
}

const MADE = 'Projects made with it: '
// Harbor's database refuses longer ones with 500.
const MAX_DESCRIPTION = 1024

/** @param made the projects that were made here in this run */
export async function setUpRobot(
  side: Side,
  made: readonly string[],
  run: SetupRun,
): Promise<Done> {
  const { ask, config, login } = side
  const done = { what: `the robot account ${login}`, at: config.id }
  const known = await findRobot(ask, login, run.signal)
  if (known === undefined) {
    const wish = wishOf(side, [], made)
    if (!run.dryRun) await makeIt(side, wish, run)
    return { ...done, did: 'made', note: `its secret is in ${side.secretFile.file}` }
  }
  const untouched = whyUntouched(known)
  if (untouched !== undefined) return { ...done, did: 'left', note: untouched }
  const wish = wishOf(side, known.permissions, [...madeProjects(known.description), ...made])
  const before = [known.description, inOrder(known.permissions)]
  const same = isDeepStrictEqual(before, [wish.description, wish.permissions])
  if (!same && !run.dryRun) await changeRobot(ask, known, wish, run.signal)
  const lost = !(await logsIn(side, run))
  if (lost && !run.dryRun) await renew(side, known, run)
  if (lost) return { ...done, did: 'changed', note: `a new secret is in ${side.secretFile.file}` }
  return { ...done, did: same ? 'kept' : 'changed' }
}

function whyUntouched(robot: Robot): string | undefined {
  if (!isOurs(robot)) return NOT_OURS
  return robot.isDisabled ? DISABLED : undefined
}

const NOT_OURS =
  'it was not made here and is not touched: see that it has the rights that "pullsync check --online" asks for'

// Whoever did that had a reason, and a new secret would not let it in.
const DISABLED = 'it is disabled: enable it in Harbor, and run this again'

/** What it may do in projects that this run is not about stays, where it is about some only. */
function wishOf(
  side: Side,
  before: readonly RobotPermission[],
  made: readonly string[],
): RobotWish {
  const wanted = permissionsOf(side)
  const others = side.isWhole
    ? []
    : before.filter(
        ({ kind, namespace }) =>
          !wanted.some((each) => each.kind === kind && each.namespace === namespace),
      )
  return {
    name: side.login.slice('robot$'.length),
    description: descriptionOf([...new Set(made)]),
    permissions: inOrder([...others, ...wanted]),
  }
}

/** So that the same rights are told in the same way. */
function inOrder(permissions: readonly RobotPermission[]): readonly RobotPermission[] {
  return permissions
    .map((each) => ({
      ...each,
      access: each.access.toSorted((a, b) =>
        `${a.resource} ${a.action}`.localeCompare(`${b.resource} ${b.action}`),
      ),
    }))
    .sort((a, b) => `${a.kind} ${a.namespace}`.localeCompare(`${b.kind} ${b.namespace}`))
}

async function makeIt(side: Side, wish: RobotWish, { signal }: SetupRun): Promise<void> {
  const { login, secret } = await makeRobot(side.ask, wish, signal)
  await writeSecret(side.secretFile.file, secret)
  if (login === side.login) return
  // Each Harbor has its own prefix for their names.
  throw new CommandError(
    `${side.config.id} calls its robots otherwise: set ${keysOf(side.config.id)}.username to ${JSON.stringify(login)}, and run this again`,
  )
}

async function renew(side: Side, robot: Robot, { signal }: SetupRun): Promise<void> {
  const { secret } = await renewSecret(side.ask, robot, signal)
  await writeSecret(side.secretFile.file, secret)
}

/** Whether the secret that is in the file is the robot's. */
async function logsIn({ login, secretFile, openAs }: Side, { signal }: SetupRun): Promise<boolean> {
  const { secret: password } = secretFile
  if (password === undefined) return false
  await using registry = openAs({ username: login, password })
  try {
    await registry.check(signal)
    return true
  } catch (error) {
    if (error instanceof RegistryError && error.status === 401) return false
    throw error
  }
}
