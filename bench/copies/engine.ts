import { fileURLToPath } from 'node:url'
import type { Entry } from './contestant.ts'
import { measuredCommand } from './measured-command.ts'

const SCRIPT = fileURLToPath(new URL('./engine-process.js', import.meta.url))

/** The copy engine alone, as a process from the start of Node to its end. */
export const ENGINE: Entry = {
  name: 'pullsync engine',
  remembers: false,
  enter: ({ upstream, local }) =>
    Promise.resolve({
      copy: ({ repository, tags }) =>
        measuredCommand(process.execPath, [SCRIPT, upstream.url, local.url, repository, ...tags]),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
}
