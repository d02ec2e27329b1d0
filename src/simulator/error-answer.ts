import type { errorShapes } from './settings.ts'

export type ErrorShape = (typeof errorShapes)[number]

export interface ErrorAnswer {
  status: number
  type: string
  body: string
}

/** A refusal that a handler throws, to be sent by the app's one error handler. */
export class Refusal extends Error {
  readonly answer: ErrorAnswer
  readonly retryAfterSeconds: number | null
  constructor(answer: ErrorAnswer, retryAfterSeconds: number | null = null) {
    super('refused')
    this.answer = answer
    this.retryAfterSeconds = retryAfterSeconds
  }
}

const json = (status: number, body: unknown): ErrorAnswer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
})

/** Body 1 of thingspace.md 3.2 [DOC] SYNCERR. */
export const unified = (code: string, message: string, status = 400) =>
  json(status, { errorCode: `UnifiedWebService.${code}`, errorMessage: message })

/** Body 3: the gateway's. 900901 invalid, 900902 missing credentials [DOC]. */
export const gateway = (code: string, message: string, status = 401) =>
  json(status, {
    fault: { code, message, description: `${message}. Make sure you have provided the correct credentials` },
  })

const xml = (code: string, message: string): ErrorAnswer => ({
  status: 403,
  type: 'application/xml',
  body: `<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>${code}</am:code><am:type>Status report</am:type><am:message>${message}</am:message><am:description>Access failure</am:description></am:fault>`,
})

/** One of each, for calls refused on request. */
export const errorAnswer = (shape: ErrorShape): ErrorAnswer => {
  switch (shape) {
    case 'unified':
      return unified('REQUEST_FAILED.AccountNotFound', 'REQUEST_FAILED. The account was not found.')
    case 'digits':
      return json(400, { errorCode: '400', errorMessage: 'Bad request' })
    case 'gateway':
      return gateway('900901', 'Invalid Credentials')
    case 'xml':
      return xml('900908', 'Resource forbidden')
    case 'oauth':
      return json(400, { error: 'invalid_client', error_description: 'A valid OAuth client could not be found' })
  }
}
