import type { Contestant, Entry, Pair, Wanted } from './contestant.ts'
import { measuredCommand } from './measured-command.ts'

const COMMON = ['--all', '--src-tls-verify=false', '--dest-tls-verify=false']

/** One image per run. */
export const SKOPEO_COPY: Entry = {
  name: 'skopeo copy',
  isPeer: true,
  remembers: true,
  enter: (pair) => Promise.resolve(contestant((wanted) => copyArguments(pair, wanted))),
}

/** All tags of the repository in one run. */
export const SKOPEO_SYNC: Entry = {
  name: 'skopeo sync',
  isPeer: true,
  remembers: true,
  enter: (pair) => Promise.resolve(contestant((wanted) => syncArguments(pair, wanted))),
}

function contestant(argumentsFor: (wanted: Wanted) => readonly string[]): Contestant {
  return {
    copy: (wanted) => measuredCommand('skopeo', ['--insecure-policy', ...argumentsFor(wanted)]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

function copyArguments({ upstream, local }: Pair, { repository, tags }: Wanted) {
  const [tag = ''] = tags
  const image = `${repository}:${tag}`
  return [
    'copy',
    ...COMMON,
    `docker://${upstream.host}/${image}`,
    `docker://${local.host}/${image}`,
  ]
}

function syncArguments({ upstream, local }: Pair, { repository }: Wanted) {
  // It puts the last part of the name below the destination by itself.
  const parent = repository.slice(0, repository.lastIndexOf('/'))
  const [from, to] = [`${upstream.host}/${repository}`, `${local.host}/${parent}`]
  return ['sync', ...COMMON, '--src', 'docker', '--dest', 'docker', from, to]
}
