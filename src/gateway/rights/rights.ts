import type { ProjectConfig } from '../../config/config.ts'
import type { Digest } from '../../oci/digest.ts'
import { MANIFEST_ACCEPT } from '../../oci/media-types.ts'
import { projectOf, type Repository } from '../../oci/reference.ts'
import { withHeader, withoutHeaders } from '../framing/forwarded-headers.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import type { LocalRegistry } from '../local/local-registry.ts'

export interface RightsDeps {
  /** The project's, asked anew each time, so that a reload takes effect at once; undefined where there is none. */
  readonly policyOf: (repository: Repository) => ProjectConfig['policy'] | undefined
  readonly local: () => LocalRegistry
  readonly policies: LocalPolicies
}

/** In which projects the local registry has refused what it holds. Neither rejects. */
export interface LocalPolicies {
  /** True also where that cannot be told. */
  seen(project: string): Promise<boolean>
  note(project: string): void
}

/** What a client asked the local registry for, with the client's own headers. */
export interface Asked {
  readonly repository: Repository
  /** Of the manifest or blob, where it is about one. */
  readonly digest?: Digest
  readonly forwarded: ForwardedRequest
}

/**
 * The one rule of what clients get that the local registry has not given them: nothing, unless it has said for
 * this repository and this `Authorization` that they may read it, and has no policy of its own that decides
 * about content once it is there. Bytes, sizes and names of what is on its way or upstream all go by it.
 */
export class Rights {
  readonly #deps: RightsDeps

  constructor(deps: RightsDeps) {
    this.#deps = deps
  }

  /**
   * Whether this client may have what the registry answered `status` to. Where the answer was no word about
   * rights, the registry is asked for one. Rejects only when `signal` is aborted.
   */
  async allow(asked: Asked, status: number, signal: AbortSignal): Promise<boolean> {
    const said = saysMayRead(status)
    if (said === false || !(await this.givesAhead(asked.repository))) return false
    return said ?? (await this.#proven(asked, signal))
  }

  /** Whether the registry lets this client read the repository, asked for the manifest of that digest. */
  async #proven({ repository, digest, forwarded }: Asked, signal: AbortSignal): Promise<boolean> {
    if (digest === undefined) return false
    const headers = withHeader(
      withoutHeaders(forwarded.headers, ABOUT_CONTENT),
      'Accept',
      MANIFEST_ACCEPT,
    )
    const path = `/v2/${repository}/manifests/${digest}`
    try {
      const answer = await this.#deps.local().ask({ method: 'HEAD', path, headers }, signal)
      answer.resume()
      return saysMayRead(answer.statusCode ?? 0) === true
    } catch {
      signal.throwIfAborted()
      return false
    }
  }

  /** False where clients wait until the local registry gives the content itself. */
  async givesAhead(repository: Repository): Promise<boolean> {
    const { policyOf, policies } = this.#deps
    const policy = policyOf(repository)
    if (policy === undefined || policy === 'local') return false
    return policy === 'none' || !(await policies.seen(projectOf(repository)))
  }

  /** To be told how the registry answered a request for a manifest. */
  note({ repository }: Pick<Asked, 'repository'>, status: number, headers: AskedHeaders): void {
    // A client that names conditions of its own gets the same answer without any policy.
    const conditional = CONDITIONS.some((name) => headers[name] !== undefined)
    if (status === REFUSED_BY_POLICY && !conditional) {
      this.#deps.policies.note(projectOf(repository))
    }
  }
}

type AskedHeaders = Readonly<Record<string, string | string[] | undefined>>

// Harbor's answer, with PROJECTPOLICYVIOLATION, for an image that is not signed, or is vulnerable.
const REFUSED_BY_POLICY = 412

const CONDITIONS = ['if-match', 'if-unmodified-since']
const ABOUT_CONTENT = [...CONDITIONS, 'if-none-match', 'if-modified-since', 'range', 'if-range']

/**
 * Undefined: it says nothing about rights. Registries look at these before they look for content, so a 404 means
 * "may" as a 200 does; of those that hide with it what is not for everybody, `policy: local` takes care.
 */
function saysMayRead(status: number): boolean | undefined {
  if (status >= 500) return undefined
  return status === 404 || (status >= 200 && status < 300) || status === 416
}
