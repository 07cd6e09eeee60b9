import type { ContentSource } from '../ports.ts'
import type { TransferSlots } from './transfer-slots.ts'

/** What of a source needs no slot: the manifest that a job begins with. */
export function watchedSource(
  source: Pick<ContentSource, 'headManifest' | 'getManifest'>,
  slots: Pick<TransferSlots, 'ask'>,
): Pick<ContentSource, 'headManifest' | 'getManifest'> {
  return {
    headManifest: (...args) => slots.ask(() => source.headManifest(...args)),
    getManifest: (...args) => slots.ask(() => source.getManifest(...args)),
  }
}
