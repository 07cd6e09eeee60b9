import type { ActionResult } from '../../queue/records/job-actions.ts'
import { CommandError } from '../command-error.ts'
import { type Streams, writeJson, writeLine } from '../screen/io.ts'

/** Redis answers many questions in the time of one, but not all of thousands at once. */
const AT_ONCE = 50

export async function actOnJobs(
  ids: readonly string[],
  act: (id: string) => Promise<ActionResult>,
): Promise<readonly ActionResult[]> {
  const results: ActionResult[] = []
  const different = [...new Set(ids)]
  for (let start = 0; start < different.length; start += AT_ONCE) {
    results.push(...(await Promise.all(different.slice(start, start + AT_ONCE).map(act))))
  }
  return results
}

/**
 * Prints what became of each job.
 * @throws CommandError when there is one that nothing could be done about
 */
export function reportActions(
  { stdout }: Streams,
  results: readonly ActionResult[],
  { done, json }: { readonly done: string; readonly json: boolean },
): void {
  if (json) writeJson(stdout, results)
  else
    for (const { id } of results.filter((result) => result.done))
      writeLine(stdout, `${id}  ${done}`)
  const failed = results.flatMap((result) =>
    result.done ? [] : [`${result.id}: ${result.reason}`],
  )
  if (failed.length > 0) throw new CommandError(failed.join('\n'))
}
