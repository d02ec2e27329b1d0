import t from 'tap'
import { credentialOf } from '../../src/thingspace/open-secrets.ts'

const [one, other] = ['89999000000000000015', '89999000000000000023']
const login = { username: 'user', password: 'secret' }

function profileOf(iccid: string | null) {
  const named = iccid === null ? [] : [{ Kind: ' ICCID', id: iccid }]
  return {
    deviceIdentifierCollection: [...named, { kind: 'imei', id: '001013000000012' }],
    deviceCredential: '[sealed]',
  }
}

function credentialIn(iccid: string | null) {
  const message = { deviceResponse: { deviceProfileResponse: profileOf(iccid) } }
  return credentialOf(message, { '/deviceResponse/deviceProfileResponse/deviceCredential': login }, one)
}

t.test('the only login of a message is of the only profile, unless another is named beside it', async t => {
  t.strictSame(credentialIn(one), login)
  t.strictSame(credentialIn(null), login)
  t.equal(credentialIn(other), null)
  t.equal(credentialOf({ deviceResponse: {} }, {}, one), null)
})
