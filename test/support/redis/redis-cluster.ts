import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type Child, startChild } from '../process/child.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../network/free-port.ts'
import { run } from '../process/run.ts'
import { tempFolder } from '../process/temp-folder.ts'

/** Three primaries, and a replica of the one that has the slot; all real. */
export interface RedisCluster extends AsyncDisposable {
  /** The three that were primaries at first, as `host:port`. */
  readonly nodes: readonly string[]
  /** Makes the replica the primary, as before an upgrade; the old one is its replica then. */
  handOver(): Promise<void>
  /** Ends the primary without a word, once its replica has all it has. */
  killPrimary(): Promise<void>
  /** The port of the node that has the slot, as the others know. */
  primaryPort(): Promise<number>
  /** All keys, by the port of the primary that has them. */
  keys(): Promise<ReadonlyMap<number, readonly string[]>>
}

interface Node {
  readonly port: number
  readonly child: Child
  readonly redis: Redis
}

export async function startRedisCluster(slot: number): Promise<RedisCluster> {
  const folder = await tempFolder('cluster')
  const [first, second, third, replica] = await Promise.all([
    startNode(folder.path),
    startNode(folder.path),
    startNode(folder.path),
    startNode(folder.path),
  ])
  const all = [first, second, third, replica]
  const nodes = all.slice(0, 3).map(({ port }) => `127.0.0.1:${port}`)
  await create(nodes, all)
  const primaryPort = async (seenBy: Node = first) => await ownerOf(slot, seenBy)
  const owner = await primaryPort()
  const pair = [replica, ...all.filter(({ port }) => port === owner)]
  // Of whom the other nodes are, the one that is asked stays.
  const witness = [first, second].find(({ port }) => port !== owner) ?? first
  await follow(replica, pair[1] ?? second)

  async function roles(): Promise<{ readonly primary: Node; readonly other: Node }> {
    const port = await primaryPort(witness)
    const [primary, other] = pair[0]?.port === port ? pair : pair.toReversed()
    if (primary?.port !== port || other === undefined) throw new Error('the slot has left the pair')
    await eventually(async () => await hasAll(other, primary))
    return { primary, other }
  }
  return {
    nodes,
    primaryPort: async () => await primaryPort(witness),
    async handOver() {
      const { other } = await roles()
      await other.redis.call('CLUSTER', 'FAILOVER')
      await eventually(async () => (await primaryPort(witness)) === other.port)
    },
    async killPrimary() {
      const { primary, other } = await roles()
      await primary.child.kill9()
      await eventually(async () => (await primaryPort(witness)) === other.port)
    },
    async keys() {
      const owners = [...new Set([...all.slice(0, 3).map(({ port }) => port)])]
      const running = all.filter(({ child }) => child.exit() === undefined)
      const found = await Promise.all(
        running.map(async ({ port, redis }) => [port, await redis.keys('*')] as const),
      )
      return new Map(found.filter(([port, keys]) => owners.includes(port) && keys.length > 0))
    },
    async [Symbol.asyncDispose]() {
      for (const { redis, child } of all) {
        redis.disconnect()
        await child.kill9()
      }
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function startNode(folder: string): Promise<Node> {
  const [port, bus] = [await freePort(), await freePort()]
  const dir = join(folder, `${port}`)
  await mkdir(dir)
  const child = await startChild({
    command: 'redis-server',
    args: [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
      ...['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-node-timeout', '5000'],
      ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'],
    ],
  })
  await child.waitForOutput(/ready to accept connections/i)
  const redis = new Redis(port, '127.0.0.1')
  // Those that were killed are gone.
  redis.on('error', () => undefined)
  return { port, child, redis }
}

async function create(addresses: readonly string[], all: readonly Node[]): Promise<void> {
  const args = ['--cluster', 'create', ...addresses, '--cluster-yes']
  const { code, stdout, stderr } = await run('redis-cli', args, { within: 60_000 })
  if (code !== 0)
    throw new Error(`redis-cli ${args.join(' ')}: ${stdout.toString()} ${stderr.toString()}`)
  await eventually(async () => {
    const [first] = all
    return String(await first?.redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok')
  })
}

async function follow(replica: Node, primary: Node): Promise<void> {
  const bus = Number((await primary.redis.config('GET', 'cluster-port'))[1])
  await replica.redis.call('CLUSTER', 'MEET', '127.0.0.1', primary.port, bus)
  const id = String(await primary.redis.call('CLUSTER', 'MYID'))
  const knows = async () => String(await replica.redis.call('CLUSTER', 'NODES')).includes(id)
  await eventually(knows)
  await replica.redis.call('CLUSTER', 'REPLICATE', id)
}

async function ownerOf(slot: number, seenBy: Node): Promise<number> {
  const ranges = (await seenBy.redis.call('CLUSTER', 'SLOTS')) as [
    number,
    number,
    [string, number],
  ][]
  const [, , owner] = ranges.find(([from, to]) => from <= slot && slot <= to) ?? []
  if (owner === undefined) throw new Error(`nobody has slot ${slot}`)
  return owner[1]
}

async function hasAll(replica: Node, primary: Node): Promise<boolean> {
  const [mine, its] = await Promise.all(
    [replica, primary].map(async ({ redis }) => await redis.info('replication')),
  )
  const offset = (text = '', name: string) => new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]
  const linked = mine?.includes('master_link_status:up') === true
  return linked && offset(mine, 'slave_repl_offset') === offset(its, 'master_repl_offset')
}
