import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { profileOperations } from '../thingspace/profile-request.ts'
import type { AcceptedRequest, Carrier } from './carrier.ts'
import { Refusal, unified } from './error-answer.ts'
import type { Gate } from './gate.ts'
import type { AskedIds } from './profiles.ts'
import { chance } from './random.ts'
import type { Settings } from './settings.ts'
import type { Timers } from './timers.ts'

const Action = Compile(
  Type.Object({
    accountName: Type.String({ minLength: 1 }),
    servicePlan: Type.Optional(Type.String()),
    devices: Type.Array(
      Type.Object({
        deviceIds: Type.Array(Type.Object({ kind: Type.String(), id: Type.String({ pattern: '^\\d{1,32}$' }) })),
      }),
      { minItems: 1 },
    ),
  }),
)

interface Parts {
  seed: number
  settings: () => Settings
  carrier: Carrier
  gate: Gate
  timers: Timers
  /** Those that exist; without it, every account does. */
  accounts: readonly string[] | null
}

/** The profile operations, and the status of a request. */
export const profileRoutes = (
  app: FastifyInstance,
  { seed, settings, carrier, gate, timers, accounts }: Parts,
): void => {
  const checkAccount = (accountName: string) => {
    if (accounts === null || accounts.includes(accountName)) return
    throw refused('REQUEST_FAILED.AccountNotFound', 'The account was not found.')
  }

  for (const operation of profileOperations) {
    app.post(`/api/m2m/v1/devices/profile/actions/${operation}`, async (request, reply) => {
      gate.checkPass(request, 'actions')
      gate.checkPace()
      const { body } = request
      if (!Action.Check(body)) throw refused('INPUT_INVALID.Body', 'The request is not of the documented form.')
      checkAccount(body.accountName)
      // 10,000 [DOC] SEED; the code is [3P] APIEV.
      if (body.devices.length > 10_000) throw refused('INPUT_INVALID.MaxRequestsExceeded', 'More than 10000 devices.')
      const { accountName, servicePlan = null } = body
      const devices = body.devices.map(({ deviceIds }) => readIds(deviceIds))
      const { requestId, mayAnswer } = carrier.accept({ accountName, operation, servicePlan, devices })
      if (chance(seed, `${requestId} lose answer`, settings().loseAnswer)) return loseAnswer(reply)
      await mayAnswer
      await wait(timers, settings().answerAfterMs)
      return { requestId }
    })
  }

  app.get('/api/m2m/v2/accounts/:account/requests/:requestId/status', async request => {
    gate.checkPass(request, 'status')
    const { account, requestId } = request.params as { account: string; requestId: string }
    checkAccount(account)
    const known = carrier.find(requestId)
    if (known?.accountName !== account) {
      throw new Refusal(unified('REQUEST_FAILED.RequestNotFound', 'REQUEST_FAILED. No such request.', 404))
    }
    return statusOf(known, settings().topStatusSuccess)
  })
}

/** Per profile; the top may say Success while a part is pending, as in Verizon's own example [EX] RSV2. */
const statusOf = ({ requestId, parts }: AcceptedRequest, topStatusSuccess: boolean) => {
  const subRequests = parts.map(({ profile, settlesAt, status, contradicted }) => {
    const opposite = status === 'Success' ? 'Failed' : 'Success'
    const known = Date.now() < settlesAt ? 'Pending' : contradicted ? opposite : status
    const ids = [
      { id: profile.iccid, kind: 'iccid' },
      { id: profile.imei, kind: 'imei' },
      { id: profile.eid, kind: 'eid' },
    ]
    return { ids, status: known }
  })
  const found = (status: string) => subRequests.some(part => part.status === status)
  const status = topStatusSuccess ? 'Success' : found('Pending') ? 'Pending' : found('Failed') ? 'Failed' : 'Success'
  return { requestId, status, subRequests }
}

const readIds = (deviceIds: { kind: string; id: string }[]): AskedIds => {
  const ids: AskedIds = {}
  for (const { kind, id } of deviceIds) {
    const known = kind.toLowerCase()
    // [DOC] SEED: only these three.
    if (known !== 'iccid' && known !== 'imei' && known !== 'eid')
      throw refused('INPUT_INVALID.Kind', 'Not iccid, eid, imei.')
    ids[known] = id
  }
  if (deviceIds.length === 0) throw refused('INPUT_INVALID.DeviceIds', 'A device has no identifiers.')
  return ids
}

const refused = (code: string, message: string) => new Refusal(unified(code, `${code.split('.')[0]}. ${message}`))

const loseAnswer = (reply: FastifyReply): FastifyReply => {
  reply.hijack()
  reply.raw.destroy()
  return reply
}

const wait = (timers: Timers, ms: number): Promise<void> =>
  ms > 0 ? new Promise(resolve => timers.after(ms, resolve)) : Promise.resolve()
