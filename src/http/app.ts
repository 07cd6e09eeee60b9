import express, { type Express } from 'express'

/** An Express application that tells nothing about itself and believes no forwarded headers. */
export function createApp(): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')
  return app
}
