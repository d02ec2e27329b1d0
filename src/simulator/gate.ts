import type { FastifyRequest } from 'fastify'
import { errorAnswer, Refusal, unified } from './error-answer.ts'
import { chance } from './random.ts'
import type { Sessions } from './sessions.ts'
import type { refusable, Settings } from './settings.ts'

type Kind = Exclude<(typeof refusable)[number], 'any'>

/** What stands before every call of the carrier: refusals on request, token, session, the pace. */
export const createGate = (seed: number, settings: () => Settings, sessions: Sessions) => {
  let calls = 0
  let windowStart = 0
  let inWindow = 0

  const refuseOnRequest = (kind: Kind) => {
    const { refuse, refuseOn, refuseWith } = settings()
    if (refuseOn !== 'any' && refuseOn !== kind) return
    if (chance(seed, `call ${++calls} refused`, refuse)) throw new Refusal(errorAnswer(refuseWith))
  }

  const checkPass = ({ headers }: FastifyRequest, kind: Kind) => {
    sessions.checkToken(headers.authorization)
    const expire = chance(seed, `call ${++calls} expired`, settings().expireSession)
    sessions.checkSession(headers['vz-m2m-token'] as string | undefined, expire)
    refuseOnRequest(kind)
  }

  /** 100 activations a minute [DOC] activate-devices; that 429 is the answer to more is [INF], the SDK knows the code. */
  const checkPace = () => {
    const limit = settings().requestsPerMinute
    if (Date.now() - windowStart >= 60_000) {
      windowStart = Date.now()
      inWindow = 0
    }
    if (limit === 0 || ++inWindow <= limit) return
    const secondsLeft = Math.ceil((windowStart + 60_000 - Date.now()) / 1000)
    throw new Refusal(unified('REQUEST_FAILED.TooManyRequests', 'REQUEST_FAILED. Too many requests', 429), secondsLeft)
  }

  return { refuseOnRequest, checkPass, checkPace }
}
export type Gate = ReturnType<typeof createGate>
