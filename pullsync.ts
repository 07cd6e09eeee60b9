#!/usr/bin/env node
import process from 'node:process'
import { surviveReloads } from './src/lifecycle/reload-signal.ts'

const argv = process.argv.slice(2)
// Before the rest is loaded, which takes a while: a reload may be asked for at any time.
surviveReloads(argv)
const { runProgram } = await import('./src/cli/program.ts')

process.exitCode = await runProgram(argv, process.env, process, {
  serve: async () => (await import('./src/roots/serve.ts')).serve,
  worker: async () => (await import('./workers/worker.ts')).runWorker,
  notificationsSnippet: async () =>
    (await import('./src/webhook/notifications/notifications.ts')).notificationsSnippet,
  harborNginx: async () => (await import('./src/webhook/harbor-nginx.ts')).harborNginx,
  nginxSnippet: async () => (await import('./src/webhook/nginx-snippet.ts')).nginxSnippet,
})
