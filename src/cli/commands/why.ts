import { Command } from 'commander'
import { loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/config.ts'
import {
  type Explanation,
  explain,
  explainPolicy,
  type PolicyExplanation,
} from '../../explain/explanation.ts'
import { type UpstreamWords, upstreamWords } from '../../explain/upstream-words.ts'
import type { Verdict } from '../../explain/verdict.ts'
import type { StoryLine } from '../../pool/stories/stories.ts'
import { formatDuration } from '../../text/duration.ts'
import { indented } from '../../text/plain-text.ts'
import type { ImageName } from '../../oci/reference.ts'
import type { Cli } from '../cli.ts'
import { CommandError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import { imageArgument } from '../image-argument.ts'
import { jobJson } from '../jobs/job-json.ts'
import { ageText, standingText } from '../jobs/job-text.ts'
import { type Whereabouts, whereabouts } from '../online/whereabouts.ts'
import { openQueues } from '../redis/open-queues.ts'
import { columnsOf, type OutputStream, writeJson, writeLine } from '../screen/io.ts'

export function whyCommand(cli: Cli): Command {
  return new Command('why')
    .argument('<image>', 'REPOSITORY[:TAG|@DIGEST], as clients pull it')
    .option('--online', 'also ask the local registry and the upstreams whether they have it')
    .addHelpText('after', EXAMPLES)
    .action(async (text: string, _options: unknown, command: Command) => {
      await why(cli, command, text)
    })
}

const EXAMPLES = `
Examples:
  $ pullsync why team/app:1.0
  $ pullsync why team/app:1.0 --online`

async function why({ streams, env }: Cli, command: Command, text: string): Promise<void> {
  const { online } = command.opts<{ readonly online?: true }>()
  const options = globalOptions(command)
  const config = await loadConfig(options.config, env)
  const image = imageArgument(text, config)
  const [explained, places] = await Promise.all([
    explainedBy(image, config, options.dataDir),
    online === true ? whereabouts(image, config) : undefined,
  ])
  if (options.json) {
    writeJson(streams.stdout, { ...jsonOf(explained), online: places })
  } else {
    const { story = [] } = explained
    const facts = [...factsOf(explained), ...placeFacts(places ?? []), ...storyFacts(story)]
    writeFacts(streams.stdout, facts)
  }
}

/** All that is known of it; without Redis what the configuration says, and why there is no more. */
type Explained =
  | (Explanation & { readonly unseen?: undefined })
  | (PolicyExplanation & Partial<Explanation> & { readonly unseen: string })

async function explainedBy(image: ImageName, config: Config, dataDir: string): Promise<Explained> {
  try {
    await using queues = await openQueues(config, dataDir)
    return await explain(image, config, queues)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { ...explainPolicy(image, config), unseen: error.message }
  }
}

function jsonOf({ jobs, story, ...explained }: Explained): object {
  return { ...explained, jobs: jobs?.map(jobJson), story: story?.map(storyJson) }
}

type Fact = readonly [name: string, value: string]

function factsOf(explained: Explained): readonly Fact[] {
  const { image, project, upstreamImage, from, verdict } = explained
  return [
    ['image', image],
    ...(project === undefined ? [] : [['project', project] as const]),
    ['a pull', verdictText(verdict)],
    ...(upstreamImage === undefined
      ? []
      : [['upstream', `${upstreamImage} of ${from.join(', then ')}`] as const]),
    ...(explained.unseen === undefined
      ? standingFacts(explained)
      : [['not seen', `how its upstream is, and its jobs: ${explained.unseen}`] as const]),
  ]
}

function standingFacts({ upstreams, limited, jobs, client }: Explanation): readonly Fact[] {
  const now = Date.now()
  return [
    ...upstreams.map((status): Fact => {
      return [status.upstream, wordsOf(upstreamWords(status))]
    }),
    ...(limited === undefined ? [] : [['limited', limited] as const]),
    ['a client gets', client],
    ...(jobs.length === 0 ? [['lately', 'no job of it is known'] as const] : []),
    ...jobs.map((job): Fact => {
      const standing = standingText(job, now)
      const words = standing === job.state ? standing : `${job.state}, ${standing}`
      const reason = job.failedReason === undefined ? '' : `\n${job.failedReason}`
      return ['lately', `${job.id} ${words}, ${ageText(job, now)} ago${reason}`]
    }),
  ]
}

function wordsOf({ state, why: reason }: UpstreamWords): string {
  return reason === '' ? state : `${state}: ${reason}`
}

function verdictText(verdict: Verdict): string {
  if (verdict.brought) return 'brings it here'
  const { words, filter } = verdict
  if (filter === undefined) return `does not bring it here: ${words}`
  const { key, pattern } = filter
  const line = pattern === undefined ? `${key} has no pattern for it` : `${key} has '${pattern}'`
  return `does not bring it here: ${words}; ${line}`
}

function placeFacts(places: readonly Whereabouts[]): readonly Fact[] {
  return places.map(({ registry, at, digest, problem }) => [
    registry === 'local' ? 'here' : `at ${registry}`,
    problem ?? (digest === undefined ? `${at} has none` : `${at} has ${digest}`),
  ])
}

/** In the order in which they happened. */
function storyFacts(story: readonly StoryLine[]): readonly Fact[] {
  const now = Date.now()
  return story
    .slice(0, MOST_LINES)
    .reverse()
    .map(({ at, what, facts }): Fact => {
      const told = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
      return ['story', `${formatDuration(now - at)} ago  ${what}  ${told.join(' ')}`.trimEnd()]
    })
}

const MOST_LINES = 15

function storyJson({ at, ...line }: StoryLine) {
  return { at: new Date(at).toISOString(), ...line }
}

function writeFacts(stdout: OutputStream, facts: readonly Fact[]): void {
  const width = Math.max(...facts.map(([name]) => name.length)) + 2
  for (const [name, value] of facts) {
    const lines = indented(value, ' '.repeat(width), columnsOf(stdout))
    writeLine(stdout, `${`${name}:`.padEnd(width)}${lines.slice(width)}`)
  }
}
