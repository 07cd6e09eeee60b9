import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

/** Files of a certificate authority of our own and of a server on 127.0.0.1 that it vouches for. */
export interface CertificateFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** Made by the `openssl` command; good for a day. */
export async function makeCertificate(folder: string): Promise<CertificateFiles> {
  const at = (name: string) => join(folder, name)
  const files = { caFile: at('ca.pem'), certFile: at('server.pem'), keyFile: at('server.key') }
  const newKey = ['req', '-newkey', 'rsa:2048', '-nodes']
  await openssl([
    ...[...newKey, '-x509', '-days', '1', '-subj', '/CN=pullsync test authority'],
    ...['-keyout', at('ca.key'), '-out', files.caFile],
  ])
  await openssl([
    ...[...newKey, '-subj', '/CN=127.0.0.1'],
    ...['-keyout', files.keyFile, '-out', at('server.csr')],
  ])
  await writeFile(at('server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  await openssl([
    ...['x509', '-req', '-days', '1', '-in', at('server.csr'), '-out', files.certFile],
    ...[
      '-CA',
      files.caFile,
      '-CAkey',
      at('ca.key'),
      '-CAcreateserial',
      '-extfile',
      at('server.ext'),
    ],
  ])
  return files
}

async function openssl(args: readonly string[]): Promise<void> {
  const { code, stderr } = await run('openssl', args)
  if (code !== 0) throw new Error(`openssl ${args[0] ?? ''} failed: ${stderr.toString('utf8')}`)
}
