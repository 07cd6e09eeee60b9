import { readFile } from 'node:fs/promises'
import { startNginx, type TestNginx } from '../../test/support/network/nginx.ts'
import type { GatewaySite } from './gateway-site.ts'

const EXAMPLE = new URL('../../../deploy/nginx/hand-over-miss.conf', import.meta.url)

/** The nginx of the example, which asks the gateway of that site only for what the registry does not have. */
export async function startHandOver({ url, local }: GatewaySite): Promise<TestNginx> {
  const example = await readFile(EXAMPLE, 'utf8')
  return await startNginx((port) =>
    example
      .replace('127.0.0.1:5000', local.host)
      .replace('127.0.0.1:8080', new URL(url).host)
      .replace('listen 80;', `listen 127.0.0.1:${port};`),
  )
}
