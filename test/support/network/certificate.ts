import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../process/run.ts'

/** Files of a certificate authority of our own and of a server that it vouches for. */
export interface CertificateFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

export interface CertificateOptions {
  /** What the certificate is for, as in `subjectAltName`; 127.0.0.1 and localhost unless told. */
  readonly names?: string
  /** The dates of a certificate that is not valid today: `YYMMDDHHMMSSZ`. */
  readonly until?: string
}

/** Made by the `openssl` command; good for a day. Also good as a client's certificate. */
export async function makeCertificate(
  folder: string,
  options: CertificateOptions = {},
): Promise<CertificateFiles> {
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
  const { names = 'IP:127.0.0.1,DNS:localhost', until } = options
  await writeFile(at('server.ext'), `subjectAltName=${names}\n`)
  await (until === undefined ? signForADay(files, at) : signUntil(until, files, at))
  return files
}

async function signForADay({ certFile, caFile }: CertificateFiles, at: At): Promise<void> {
  await openssl([
    ...['x509', '-req', '-days', '1', '-in', at('server.csr'), '-out', certFile],
    ...['-CA', caFile, '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('server.ext')],
  ])
}

type At = (name: string) => string

// Only `openssl ca` takes dates, and it wants a book-keeping of its own.
async function signUntil(
  until: string,
  { certFile, caFile }: CertificateFiles,
  at: At,
): Promise<void> {
  await writeFile(at('index.txt'), '')
  await writeFile(
    at('ca.conf'),
    [
      ...['[ca]', 'default_ca=own', '[own]', `new_certs_dir=${at('.')}`, 'default_md=sha256'],
      ...[`database=${at('index.txt')}`, 'rand_serial=yes', 'policy=any'],
      ...['[any]', 'commonName=supplied', ''],
    ].join('\n'),
  )
  await openssl([
    ...['ca', '-batch', '-notext', '-config', at('ca.conf'), '-in', at('server.csr')],
    ...['-startdate', '200101000000Z', '-enddate', until, '-extfile', at('server.ext')],
    ...['-cert', caFile, '-keyfile', at('ca.key'), '-out', certFile],
  ])
}

async function openssl(args: readonly string[]): Promise<void> {
  const { code, stderr } = await run('openssl', args)
  if (code !== 0) throw new Error(`openssl ${args[0] ?? ''} failed: ${stderr.toString('utf8')}`)
}
