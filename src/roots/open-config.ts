import { type LiveConfig, watchConfig } from '../config/live-config.ts'
import { messageOf } from '../thrown.ts'
import type { ProcessReporter } from '../telemetry/reports/report-process.ts'

/**
 * A root's configuration, read again on SIGHUP and when its file changes. An invalid one is reported
 * and the old one stays.
 *
 * @throws ConfigError when it is not valid at the start
 */
export async function openConfig(file: string, reporter: ProcessReporter): Promise<LiveConfig> {
  const live = await watchConfig(file, process.env, {
    onInvalid: (error) => {
      reporter.configRefused({ file, problems: error.message.split('\n') })
    },
    onWatchError: (error) => {
      reporter.configUnwatched({ file, error })
    },
  })
  live.onChange(({ needRestart }) => {
    reporter.configReloaded({ file, needRestart })
  })
  const reload = () => {
    live.reload().catch((error: unknown) => {
      reporter.configRefused({ file, problems: [messageOf(error)] })
    })
  }
  process.on('SIGHUP', reload)
  return {
    ...live,
    async [Symbol.asyncDispose]() {
      process.off('SIGHUP', reload)
      await live[Symbol.asyncDispose]()
    },
  }
}
