import { z } from 'zod'
import { type AskHarbor, bodyAs } from './ask-harbor.ts'

/** What a robot of the system may do in one project, or to the system itself. */
export interface RobotPermission {
  readonly kind: 'project' | 'system'
  /** The project's name; `/` for the system. */
  readonly namespace: string
  readonly access: readonly { readonly resource: string; readonly action: string }[]
}

export interface RobotWish {
  /** Without the prefix that Harbor puts before it. */
  readonly name: string
  readonly description: string
  readonly permissions: readonly RobotPermission[]
}

export interface Robot extends RobotWish {
  readonly id: number
  /** With the prefix, as it logs in. */
  readonly login: string
  /** Somebody has switched it off. */
  readonly isDisabled: boolean
}

/** A robot's secret, which is told this once. */
export interface NewSecret {
  readonly login: string
  readonly secret: string
}

const PAGE = 100
const MAX_PAGES = 20

/** The robot of the system with that login; undefined where there is none. */
export async function findRobot(
  ask: AskHarbor,
  login: string,
  signal: AbortSignal,
): Promise<Robot | undefined> {
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const answer = await ask({
      method: 'GET',
      path: `robots?q=${encodeURIComponent('Level=system,ProjectID=0')}&page=${page}&page_size=${PAGE}`,
      what: 'list the robot accounts of',
      expect: [200],
      signal,
    })
    const listed = bodyAs(z.array(robot), answer)
    const found = listed.find(({ name }) => name === login)
    if (found !== undefined) {
      const { id, name, description, permissions, disable } = found
      return {
        ...{ id, name, login, isDisabled: disable === true },
        description: description ?? '',
        permissions: permissions ?? [],
      }
    }
    if (listed.length < PAGE) return undefined
  }
  return undefined
}

/** One that never expires. */
export async function makeRobot(
  ask: AskHarbor,
  wish: RobotWish,
  signal: AbortSignal,
): Promise<NewSecret> {
  const answer = await ask({
    method: 'POST',
    path: 'robots',
    what: `make the robot account ${wish.name} in`,
    body: { ...wish, level: 'system', duration: -1, disable: false },
    expect: [201],
    signal,
  })
  const { name: login, secret } = bodyAs(made, answer)
  return { login, secret }
}

export async function changeRobot(
  ask: AskHarbor,
  { id, login }: Pick<Robot, 'id' | 'login'>,
  wish: RobotWish,
  signal: AbortSignal,
): Promise<void> {
  await ask({
    method: 'PUT',
    path: `robots/${id}`,
    what: `change the robot account ${login} of`,
    // Here its name is the one with the prefix.
    body: { ...wish, name: login, id, level: 'system', duration: -1, disable: false },
    expect: [200],
    signal,
  })
}

/** A new secret in the place of one that is lost. */
export async function renewSecret(
  ask: AskHarbor,
  { id, login }: Pick<Robot, 'id' | 'login'>,
  signal: AbortSignal,
): Promise<NewSecret> {
  const answer = await ask({
    method: 'PATCH',
    path: `robots/${id}`,
    what: `renew the secret of the robot account ${login} of`,
    // Harbor makes one.
    body: { secret: '' },
    expect: [200],
    signal,
  })
  return { login, secret: bodyAs(renewed, answer).secret }
}

export async function removeRobot(ask: AskHarbor, id: number, signal: AbortSignal): Promise<void> {
  const what = 'remove a robot account of'
  await ask({ method: 'DELETE', path: `robots/${id}`, what, expect: [200, 404], signal })
}

const permission = z.object({
  kind: z.enum(['project', 'system']),
  namespace: z.string(),
  access: z.array(z.object({ resource: z.string(), action: z.string() })),
})
const robot = z.object({
  id: z.number(),
  name: z.string(),
  description: z.string().nullish(),
  permissions: z.array(permission).nullish(),
  disable: z.boolean().nullish(),
})
const made = z.object({ name: z.string(), secret: z.string().min(1) })
const renewed = z.object({ secret: z.string().min(1) })
