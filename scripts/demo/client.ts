import type { BuiltImage } from '../../test/support/images/image.ts'
import { pushImage } from '../../test/support/images/push-image.ts'
import { inspectRaw, skopeo } from '../../test/support/images/skopeo.ts'
import type { Narrator } from './narrator.ts'
import type { Stage } from './stage.ts'

/** What a client does at the local address to see an image. */
export function inspectCommand(stage: Stage, image: string): readonly string[] {
  return ['inspect', '--raw', '--tls-verify=false', `docker://${stage.nginx.host}/${image}`]
}

/** Runs it as somebody would at a prompt. @returns whether the image was found */
export async function inspect(narrator: Narrator, stage: Stage, image: string): Promise<boolean> {
  const args = inspectCommand(stage, image)
  const { code, stdout, stderr } = await skopeo(args)
  const said = code === 0 ? `${stdout.length} bytes of manifest` : lastWords(stderr)
  narrator.command(`skopeo ${args.join(' ')}`, said)
  return code === 0
}

export async function publish(
  narrator: Narrator,
  stage: Stage,
  image: BuiltImage,
  name: string,
): Promise<void> {
  narrator.command(`skopeo copy --all oci:… docker://${stage.upstream.host}/${name}`)
  await pushImage(image, `${stage.upstream.host}/${name}`)
}

/** Throws unless the local address gives exactly what was built, for the index and each child. */
export async function expectSameBytes(
  stage: Stage,
  repository: string,
  tag: string,
  image: BuiltImage,
): Promise<void> {
  for (const manifest of image.manifests) {
    const reference = manifest === image.top ? `:${tag}` : `@${manifest.digest}`
    const [there, here] = await Promise.all([
      inspectRaw(`${stage.upstream.host}/${repository}${reference}`),
      inspectRaw(`${stage.nginx.host}/${repository}${reference}`),
    ])
    if (!here.bytes.equals(there.bytes) || here.digest !== manifest.digest) {
      throw new Error(
        `${repository}${reference}: built as ${manifest.digest}, upstream ${there.digest}, local ${here.digest}`,
      )
    }
  }
}

function lastWords(stderr: string): string {
  const text = stderr.trim().split('\n').at(-1) ?? ''
  return /msg="(.*)"$/.exec(text)?.[1]?.replaceAll('\\"', '"') ?? text
}
