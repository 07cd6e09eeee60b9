import type { PublishedImage } from '../content/publish.ts'
import { type Pull, pullImage, type PullOptions } from './pull.ts'

const MIB = 1024 * 1024

/** Somebody who pulls the image that all of them pull. */
export interface Puller {
  readonly name: string
  readonly pull: () => Promise<Pull>
}

/** The order is turned round with each repetition. */
export async function takeTurns(pullers: readonly Puller[], repetitions: number) {
  const taken = pullers.map(({ name }) => ({ name, pulls: [] as Pull[] }))
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const order = pullers.map((puller, at) => ({ puller, at }))
    if (repetition % 2 === 1) order.reverse()
    for (const { puller, at } of order) taken[at]?.pulls.push(await puller.pull())
  }
  return taken
}

/** @throws Error when it was not all of the image */
export async function pullWhole(
  url: string,
  { repository, tag, bytes }: PublishedImage,
  how: PullOptions = {},
): Promise<Pull> {
  const pull = await pullImage(url, repository, tag, how)
  if (pull.bytes !== bytes) throw new Error(`${pull.bytes} of ${bytes} bytes were pulled`)
  return pull
}

export function titleOf(layers: number, { bytes }: PublishedImage): string {
  return `${layers} layers, ${(bytes / MIB).toFixed(0)} MiB`
}
