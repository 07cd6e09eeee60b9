import { benchCopy } from './copy.ts'
import { benchKill } from './kill.ts'
import { machineLine } from './machine.ts'
import { benchMemory } from './memory.ts'
import { FULL, SMALL } from './scale.ts'
import { benchStart } from './start.ts'

const BENCHES = { copy: benchCopy, memory: benchMemory, kill: benchKill, start: benchStart }

const args = process.argv.slice(2)
const chosen = args.filter((arg) => !arg.startsWith('--'))
const unknown = chosen.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined) {
  console.error(`there is no benchmark "${unknown}", only ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
const scale = args.includes('--small') ? SMALL : FULL
console.log(`${await machineLine()}\n`)
for (const [name, bench] of Object.entries(BENCHES)) {
  if (chosen.length === 0 || chosen.includes(name)) console.log(`${await bench(scale)}\n`)
}
