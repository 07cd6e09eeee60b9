#!/usr/bin/env node
import process from 'node:process'
import { runProgram } from './src/cli/program.ts'

process.exitCode = await runProgram(process.argv.slice(2), process.env, process, {
  serve: async () => (await import('./src/roots/serve.ts')).serve,
  worker: async () => (await import('./workers/worker.ts')).runWorker,
  notificationsSnippet: async () =>
    (await import('./src/webhook/notifications/notifications.ts')).notificationsSnippet,
  harborNginx: async () => (await import('./src/webhook/harbor-nginx.ts')).harborNginx,
  nginxSnippet: async () => (await import('./src/webhook/nginx-snippet.ts')).nginxSnippet,
})
