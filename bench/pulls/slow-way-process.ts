// slow-way-process.js REGISTRY_URL SLOWNESS: a slow way to that registry until it is told to stop. Prints where it begins.
import { untilAborted } from '../../src/waiting/until-aborted.ts'
import { type Slowness, startSlowWay } from './slow-way.ts'

const [registryUrl = '', slowness = '{}'] = process.argv.slice(2)
const stop = new AbortController()
process.once('SIGTERM', () => {
  stop.abort()
})
await using way = await startSlowWay(registryUrl, JSON.parse(slowness) as Slowness)
process.stdout.write(`${way.url}\n`)
await untilAborted(stop.signal)
