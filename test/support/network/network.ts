import { randomInt } from 'node:crypto'
import { run } from '../process/run.ts'

/** A machine of its own, as far as the network goes. */
export interface NetworkHost {
  readonly address: string
  /** What a command is started through to run there. */
  readonly through: readonly string[]
}

/** Hosts on a switch of their own, at which this machine is one more. */
export interface TestNetwork extends AsyncDisposable {
  /** This machine's address there. */
  readonly address: string
  readonly hosts: readonly NetworkHost[]
  /** The address of a machine that has just died: the way to it is known, and nothing comes back. */
  readonly dead: string
}

/** Why this machine cannot have one; undefined where it can. */
export async function whyNoNetwork(): Promise<string | undefined> {
  try {
    await using network = await startNetwork(1)
    return network.hosts.length === 1 ? undefined : 'no host came up'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Network namespaces, joined by a bridge. Needs root, and `ip` of Debian's package iproute2. */
export async function startNetwork(hosts: number): Promise<TestNetwork> {
  const id = `ps${randomInt(1_000_000)}`
  const subnet = `10.${randomInt(64, 255)}.${randomInt(255)}`
  const undo: (readonly string[])[] = []
  const dispose = async () => {
    for (const args of undo.splice(0).reverse()) await run('ip', args)
  }
  try {
    await ip('link', 'add', id, 'type', 'bridge')
    undo.push(['link', 'delete', id])
    await ip('address', 'add', `${subnet}.1/24`, 'dev', id)
    await ip('link', 'set', id, 'up')
    const joined: NetworkHost[] = []
    for (let number = 0; number < hosts; number += 1) {
      const [name, address] = [`${id}-${number}`, `${subnet}.${number + 2}`]
      await ip('netns', 'add', name)
      undo.push(['netns', 'delete', name])
      const inside = ['-n', name, 'link', 'set']
      await ip('link', 'add', `${name}o`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
      await ip('link', 'set', `${name}o`, 'master', id, 'up')
      await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0')
      for (const device of ['lo', 'eth0']) await ip(...inside, device, 'up')
      joined.push({ address, through: ['ip', 'netns', 'exec', name] })
    }
    const dead = `${subnet}.254`
    await ip('neighbour', 'add', dead, 'lladdr', NOBODY, 'dev', id, 'nud', 'permanent')
    return { address: `${subnet}.1`, hosts: joined, dead, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** As no interface here has it: one that was given by hand. */
const NOBODY = '02:00:00:00:00:01'

async function ip(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run('ip', args)
  if (code !== 0) throw new Error(`ip ${args.join(' ')} failed: ${stderr.toString('utf8').trim()}`)
}
