import type { Address, AdminConfig } from '../config/config.ts'
import type { LiveConfig } from '../config/live-config.ts'
import type { BasicCredentials } from '../http/basic-auth.ts'
import { isLoopback } from '../http/loopback-host.ts'

/**
 * What the admin listener asks for at this moment. A new configuration moves the listener only with the next start:
 * until then one that a network reaches keeps its last password where the new one names none.
 */
export function adminCredentials(
  live: Pick<LiveConfig, 'current' | 'onChange'>,
  listen: Address,
): () => BasicCredentials | undefined {
  let wanted = credentialsOf(live.current().admin)
  live.onChange(({ config }) => {
    const changed = credentialsOf(config.admin)
    if (changed !== undefined || isLoopback(listen.host)) wanted = changed
  })
  return () => wanted
}

function credentialsOf({ username, password }: AdminConfig): BasicCredentials | undefined {
  return password === undefined ? undefined : { username, password }
}
