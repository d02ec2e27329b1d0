import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Refusal, unified } from './error-answer.ts'
import type { Gate } from './gate.ts'
import type { Listeners } from './listeners.ts'

const Registration = Compile(
  Type.Object({
    name: Type.String(),
    url: Type.String(),
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
  }),
)

/** Callback listeners: register, list, deregister (thingspace.md 1.4). */
export const listenerRoutes = (app: FastifyInstance, gate: Gate, listeners: Listeners): void => {
  app.post('/api/m2m/v1/callbacks/:account', async request => {
    gate.checkPass(request, 'listeners')
    const { account: accountName } = request.params as { account: string }
    const { body } = request
    if (!Registration.Check(body))
      throw new Refusal(unified('INPUT_INVALID.Body', 'INPUT_INVALID. Not of the documented form.'))
    const { name: serviceName, ...rest } = body
    listeners.register({ ...rest, accountName, serviceName })
    return { accountName, serviceName }
  })

  // Passwords in clear, as the carrier does [DOC] LIST.
  app.get('/api/m2m/v1/callbacks/:account', async request => {
    gate.checkPass(request, 'listeners')
    const { account } = request.params as { account: string }
    return listeners.ofAccount(account).map(({ accountName, serviceName, url, username, password }) => ({
      accountName,
      serviceName,
      url,
      username,
      password,
    }))
  })

  app.delete('/api/m2m/v1/callbacks/:account/name/:service', async request => {
    gate.checkPass(request, 'listeners')
    const { account: accountName, service: serviceName } = request.params as { account: string; service: string }
    if (!listeners.remove(accountName, serviceName)) {
      throw new Refusal(unified('REQUEST_FAILED.CallbackNotFound', 'REQUEST_FAILED. No such listener.', 404))
    }
    return { accountName, serviceName }
  })
}
