import t from 'tap'
import { readJsonMessage } from '../../src/thingspace/json-message.ts'
import { readCallback } from '../../src/thingspace/read-callback.ts'
import { takeSecretsOut } from '../../src/thingspace/secrets-in-callback.ts'
import { tellLoginsApart } from '../../src/thingspace/tell-logins-apart.ts'

t.test('each of many profiles has its own login, and the message is gone through once for all of them', async t => {
  const profiles = Array.from({ length: 50 }, (_, n) => ({
    deviceIdentifierCollection: [{ kind: 'Iccid', id: `${89999000000000000000n + BigInt(n)}` }],
    deviceCredential: { username: `user-${n}`, password: 'made-up' },
  }))
  const text = JSON.stringify({
    requestId: 'r-1',
    status: 'SUCCESS',
    deviceResponse: { deviceProfileResponse: profiles },
  })
  const json = readJsonMessage(Buffer.from(text))
  if (!json.ok) throw new Error('it is JSON')
  const { message } = json
  const { secrets } = takeSecretsOut(message)
  let looks = 0
  const { deviceResponse } = message
  Object.defineProperty(message, 'deviceResponse', {
    get() {
      looks += 1
      return deviceResponse
    },
  })
  const told = tellLoginsApart(readCallback(json), message, secrets ?? {}, Buffer.alloc(32))
  const digests = told.kind === 'reports' ? told.reports.map(({ facts }) => facts.credentialDigest) : []
  t.equal(new Set(digests).size, profiles.length)
  t.notOk(digests.includes(undefined))
  t.ok(looks <= 2 * profiles.length, `${looks} looks`)
})
