import { type LiveConfig, watchConfig } from '../config/live-config.ts'
import { messageOf } from '../thrown.ts'
import type { ProcessReporter } from '../telemetry/reports/report-process.ts'
import { requireProxies } from './require-proxies.ts'

/**
 * A root's configuration, read again on SIGHUP and when its file changes. An invalid one is reported
 * and the old one stays.
 *
 * @throws ConfigError when it, or what the environment adds to it, is not valid at the start
 */
export async function openConfig(file: string, reporter: ProcessReporter): Promise<LiveConfig> {
  const refused = (problems: readonly string[]) => {
    reporter.configRefused({ file, problems })
  }
  // Kept from the first moment on: what is asked for while it is read for the first time may have come after that.
  const early = { isWanted: false }
  let reload = () => {
    early.isWanted = true
  }
  const onHangUp = () => {
    reload()
  }
  const stopListening = () => process.off('SIGHUP', onHangUp)
  process.on('SIGHUP', onHangUp)
  try {
    const live = await opened(file, reporter, refused)
    reload = () => {
      live.reload().catch((error: unknown) => {
        refused([messageOf(error)])
      })
    }
    if (early.isWanted) await live.reload()
    return {
      ...live,
      async [Symbol.asyncDispose]() {
        stopListening()
        await live[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    stopListening()
    throw error
  }
}

async function opened(
  file: string,
  reporter: ProcessReporter,
  refused: (problems: readonly string[]) => void,
): Promise<LiveConfig> {
  const live = await watchConfig(file, process.env, {
    onInvalid: (error) => {
      refused(error.message.split('\n'))
    },
    onWatchError: (error) => {
      reporter.configUnwatched({ file, error })
    },
  })
  requireProxies(live.current(), process.env)
  live.onChange(({ needRestart }) => {
    reporter.configReloaded({ file, needRestart })
  })
  return live
}
