import type { Config } from '../../config/config.ts'
import { type Explanation, explain } from '../../explain/explanation.ts'
import { parseImageName } from '../../oci/reference.ts'
import type { StoryLine } from '../../pool/stories/stories.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { formatDuration } from '../../text/duration.ts'
import { plainText } from '../../text/plain-text.ts'
import { type Html, html } from './html.ts'
import { table } from './sections.ts'

/** What a pull of the image would get, and what happened to it, where the name is that of one. */
export async function explainedSection(
  queues: ReplicationQueues,
  config: Config,
  name: string,
): Promise<Html | undefined> {
  const image = parseImageName(name)
  if (!image.ok) return undefined
  const explanation = await explain(image.value, config, queues)
  const { image: whole, client, story } = explanation
  return html`<p>
      A pull of <strong>${whole}</strong> ${verdictWords(explanation)}. If it is not here, a client
      gets ${client}.
    </p>
    ${story.length === 0 ? undefined : storyTable(story)}`
}

function verdictWords({ verdict, image, upstreamImage = image }: Explanation): string {
  if (verdict.brought) return `brings it here, as ${upstreamImage} of its upstream`
  const { words, filter } = verdict
  if (filter === undefined) return `does not bring it here: ${words}`
  const { key, pattern } = filter
  const line = pattern === undefined ? key : `${key} has ${pattern}`
  return `does not bring it here: ${words} (${line})`
}

function storyTable(story: readonly StoryLine[]): Html {
  const now = Date.now()
  const rows = story.map(({ at, what, facts }) => {
    const told = Object.entries(facts).map(([name, value]) => `${name}: ${value}`)
    return html`<tr>
      <th scope="row">${formatDuration(now - at)} ago</th>
      <td>${what}</td>
      <td>${plainText(told.join(', '))}</td>
    </tr>`
  })
  return table('What happened to it in the last day', ['When', 'What', 'More'], rows)
}
