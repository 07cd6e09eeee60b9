import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import { run } from '../process/run.ts'

export interface SkopeoResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs skopeo to its end. A failure is a code, not an exception. */
export async function skopeo(args: readonly string[], within = 60_000): Promise<SkopeoResult> {
  const ran = await run('skopeo', withPolicy(args), { within })
  return {
    code: ran.code,
    stdout: ran.stdout.toString('utf8'),
    stderr: ran.stderr.toString('utf8'),
  }
}

export interface RawManifest {
  readonly bytes: Buffer
  readonly digest: Digest
}

/**
 * The manifest exactly as the registry gives it.
 * @param image `127.0.0.1:5000/team/app:1.0`, or with `@sha256:…`
 * @param credentials `user:password`
 */
export async function inspectRaw(image: string, credentials?: string): Promise<RawManifest> {
  const login = credentials === undefined ? [] : ['--creds', credentials]
  const args = ['inspect', '--raw', '--tls-verify=false', ...login, `docker://${image}`]
  const ran = await run('skopeo', withPolicy(args))
  if (ran.code !== 0) {
    throw new Error(
      `skopeo inspect of ${image} ended with code ${ran.code}: ${ran.stderr.toString('utf8')}`,
    )
  }
  return { bytes: ran.stdout, digest: digestOf(ran.stdout) }
}

// Without a policy file, which not every package of skopeo brings, it refuses to copy anything.
function withPolicy(args: readonly string[]): readonly string[] {
  return ['--insecure-policy', ...args]
}
