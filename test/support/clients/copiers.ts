import { goProgram } from '../process/go-program.ts'
import { skopeo } from '../images/skopeo.ts'
import { type Pulled, pulled } from './client.ts'

/** A program that copies between an OCI layout and a registry, an index with all its children. */
export interface Copier {
  readonly name: string
  /** Why it cannot be run here; undefined where it can. */
  readonly whyNot: string | undefined
  /** @param target like `127.0.0.1:8080/team/app:1.0` */
  readonly push: (layout: string, target: string) => Promise<Pulled>
  /** @param source like `127.0.0.1:8080/team/app:1.0`, or with a digest */
  readonly pull: (source: string, folder: string) => Promise<Pulled>
  /** Whether the tag it pushes is an index of its own, around what the layout has. */
  readonly wraps?: boolean
}

export const COPIERS: readonly Copier[] = [
  {
    name: 'skopeo',
    whyNot: undefined,
    push: (layout, target) =>
      copied('--dest-tls-verify=false', `oci:${layout}:image`, `docker://${target}`),
    pull: (source, folder) =>
      copied('--src-tls-verify=false', `docker://${source}`, `oci:${folder}:image`),
  },
  {
    ...built('crane', {
      push: (layout, target) => ['push', '--index', '--insecure', layout, target],
      pull: (source, folder) => ['pull', '--format=oci', '--insecure', source, folder],
    }),
    wraps: true,
  },
  built('oras', {
    push: (layout, target) => [
      ...['cp', '--from-oci-layout', `${layout}:image`, '--to-plain-http', target],
    ],
    pull: (source, folder) => [
      ...['cp', '--from-plain-http', source, '--to-oci-layout', `${folder}:image`],
    ],
  }),
  built('regctl', {
    push: (layout, target) => [...withoutTls(target), `ocidir://${layout}:image`, target],
    pull: (source, folder) => [...withoutTls(source), source, `ocidir://${folder}:image`],
  }),
]

async function copied(option: string, from: string, to: string): Promise<Pulled> {
  const args = ['copy', '--all', '--preserve-digests', option, from, to]
  const { code, stdout, stderr } = await skopeo(args)
  return { code, output: `${stdout}${stderr}` }
}

function withoutTls(image: string): readonly string[] {
  return ['--host', `reg=${image.slice(0, image.indexOf('/'))},tls=disabled`, 'image', 'copy']
}

interface Arguments {
  readonly push: (layout: string, target: string) => readonly string[]
  readonly pull: (source: string, folder: string) => readonly string[]
}

function built(name: 'crane' | 'oras' | 'regctl', { push, pull }: Arguments): Copier {
  const program = goProgram(name)
  return {
    name,
    whyNot: program === undefined ? `no ${name} here; scripts/go-programs.sh builds it` : undefined,
    push: (layout, target) => pulled(program ?? name, push(layout, target)),
    pull: (source, folder) => pulled(program ?? name, pull(source, folder)),
  }
}
