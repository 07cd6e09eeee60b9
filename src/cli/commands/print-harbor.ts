import { Option } from 'commander'
import type { Config } from '../../config/config.ts'
import { reachableUrl } from '../reachable-url.ts'
import type { HarborInstall, Roots } from '../root-options.ts'
import { type Streams, writeJson, writeLine } from '../screen/io.ts'

const INSTALLS: readonly HarborInstall[] = ['compose', 'ingress']

export function harborOption(): Option {
  return new Option(
    '--harbor [install]',
    "instead, a whole file for Harbor's own nginx (compose), or an Ingress beside that of its chart (ingress)",
  )
    .choices(INSTALLS)
    .preset('compose')
}

export const HARBOR_EXAMPLES = `  $ pullsync print nginx --harbor --url http://10.0.0.7:8080 > harbor.https.pullsync.conf
  $ pullsync print nginx --harbor ingress --url http://pullsync:8080 | kubectl apply -f -`

export interface HarborOptions {
  readonly install: HarborInstall
  readonly url: string | undefined
  readonly json: boolean
}

/** No source is needed: the gateway sees what misses by itself. */
export async function printHarbor(
  { stdout, stderr }: Streams,
  load: Roots['harborNginx'] | undefined,
  { listen, projects }: Config,
  { install, url, json }: HarborOptions,
): Promise<void> {
  const render = await load?.()
  const text = render?.(install, {
    gatewayUrl: url ?? reachableUrl(listen),
    projects: projects.map(({ name }) => name).filter((name) => name !== '*'),
  }).trimEnd()
  if (url === undefined) writeLine(stderr, NOT_FROM_CONTAINERS)
  if (json) writeJson(stdout, { install, text })
  else writeLine(stdout, text)
}

const NOT_FROM_CONTAINERS =
  '# This reaches pullsync on the same machine, and not from a container: print it with --url.'
