import { parseArgs } from 'node:util'
import { tuneGarbageCollection } from '../workers/tune-garbage-collection.ts'
import { type Bench, chosenBenches } from './benches.ts'
import { machineLine } from './figures/machine.ts'
import { buildBefore } from './rivals/before.ts'
import { FULL, SMALL, withRepetitions } from './scale.ts'

// The client of the pulls is in this process: twice its own work would be V8's.
tuneGarbageCollection()
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    repetitions: { type: 'string' },
    peers: { type: 'boolean', default: false },
    against: { type: 'string' },
  },
})
const scale = withRepetitions(values.small ? SMALL : FULL, Number(values.repetitions ?? 0))
await using before = values.against === undefined ? null : await buildBefore(values.against)
const rivals = { peers: values.peers, ...(before && { before: before.entry }) }
const chosen = chosenBenches(positionals)
console.log(`${await machineLine()}\n`)
for (const { name, title, measure } of before ? chosen.filter(isComparison) : chosen) {
  const startedAt = performance.now()
  const table = await measure(scale, rivals)
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
  console.log(`### ${title}\n\n${table}\n\n\`npm run bench -- ${name}\` ran for ${seconds} s.\n`)
}

function isComparison({ compares }: Bench): boolean {
  return compares === true
}
