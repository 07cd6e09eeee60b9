import { setTimeout as delay } from 'node:timers/promises'
import type { Repository } from '../../oci/reference.ts'
import type { LimitedMiss } from '../../pool/miss-limits.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import type { HeldBack } from '../manifests/held-back.ts'
import type { MissClients } from '../manifests/miss-clients.ts'
import { GATEWAY_SOURCE } from '../manifests/misses.ts'
import type { LookLimits } from '../manifests/upstream-look.ts'
import type { Forwarded } from '../../http/trusted-proxies.ts'

/** For whom an upstream's list is read. */
export interface ListAsker {
  /** Whether upstream is to be asked now. Rejects only when the client went away. */
  readonly mayAsk: () => Promise<boolean>
  /** @param nothing no upstream has anything of the kind */
  readonly answered: (nothing: boolean) => void
}

/** What the local registry knows itself has not been made up. */
export const KNOWN: ListAsker = {
  mayAsk: () => Promise.resolve(true),
  answered: () => undefined,
}

export interface ListLimitsDeps {
  readonly limits: LookLimits
  readonly heldBack: Pick<HeldBack, 'turn'>
  readonly missClients: MissClients
}

interface Asking {
  readonly request: Forwarded
  readonly forwarded: ForwardedRequest
  readonly repository: Repository
  readonly signal: AbortSignal
}

/** Whose upstreams are asked; one at least. */
type Upstreams = LimitedMiss['upstreams']

/**
 * Lists of what nobody has are counted as misses of it are, and with them: whoever has asked for too many has turns,
 * one each second.
 */
export class ListLimits {
  readonly #deps: ListLimitsDeps

  constructor(deps: ListLimitsDeps) {
    this.#deps = deps
  }

  asker(asking: Asking, upstreams: Upstreams): ListAsker {
    const { limits } = this.#deps
    const miss = this.#missOf(asking, upstreams)
    let unpaid = false
    return {
      mayAsk: async () => {
        const asked = await this.#mayAsk(await miss(), asking.signal)
        unpaid = asked === 'unpaid'
        return asked !== undefined
      },
      answered: (nothing) => {
        const settle = nothing ? limits.take : limits.giveBack
        void miss().then(
          (asked) => {
            settle({ ...asked, unpaid })
          },
          () => undefined,
        )
      },
    }
  }

  /** Its client is asked for at most once. */
  #missOf({ request, forwarded, repository, signal }: Asking, upstreams: Upstreams) {
    const { missClients } = this.#deps
    let client: Promise<string> | undefined
    return async (): Promise<LimitedMiss> => {
      client ??= missClients.nameOf(request, { repository, forwarded }, signal)
      const named = { source: GATEWAY_SOURCE, client: await client }
      return { repository, upstreams, trigger: 'miss', ...named }
    }
  }

  async #mayAsk(miss: LimitedMiss, signal: AbortSignal): Promise<'paid' | 'unpaid' | undefined> {
    const { limits, heldBack } = this.#deps
    const { limited, unpaid } = await limits.admit(miss)
    if (limited === undefined) return unpaid ? 'unpaid' : 'paid'
    const waitMs = await heldBack.turn(miss, limited)
    if (waitMs === undefined) return undefined
    await delay(waitMs, undefined, { signal })
    return 'unpaid'
  }
}
