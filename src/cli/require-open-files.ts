import { EXIT } from '../lifecycle/exit-codes.ts'
import { openFilesLimit } from '../lifecycle/open-files.ts'
import { CommandError } from './command-error.ts'

/** What pullsync opens before it has a client: its modules, Redis, listeners, registries. Twice that, to do anything. */
const LEAST = 256

/**
 * To be asked before the modules of a long-running command are loaded: with fewer that alone would fail.
 *
 * @throws CommandError
 */
export function requireOpenFiles(): void {
  const limit = openFilesLimit()
  if (limit === undefined || limit >= LEAST) return
  throw new CommandError(
    `this process may have ${limit} files and connections open, and needs ${LEAST} at least, and one for each client and transfer: raise "ulimit -n" (systemd: LimitNOFILE=65536)`,
    { exitCode: EXIT.config },
  )
}
