import t from 'tap'
import { callbackUrl, doubtsAbout } from '../../src/listeners/callback-url.ts'

const listener = { accountName: '0000123456-00001', serviceName: 'CarrierService' }
const path = '/callbacks/0000123456-00001/CarrierService'

t.test('the path of the listener is added to where the service is reached', async t => {
  const cases: [string, string][] = [
    ['https://example.com', `https://example.com${path}`],
    ['https://example.com/', `https://example.com${path}`],
    ['https://Example.com:9001/esim/', `https://example.com:9001/esim${path}`],
    [`https://example.com${path}`, `https://example.com${path}`],
    [`https://example.com/esim${path}/`, `https://example.com/esim${path}`],
  ]
  for (const [base, url] of cases) t.equal(callbackUrl(base, listener), url)
})

t.test('what can be no callback URL is refused, and says why', async t => {
  const cases: [string, RegExp][] = [
    ['example.com', /begin with https/],
    ['ftp://example.com', /begin with https/],
    ['https://user:canary@example.com', /without credentials/],
    ['https://example.com/?canary=1', /without credentials, query/],
    ['https://example.com/#canary', /fragment/],
    ['https://example.com/callbacks', /give the part before \/callbacks/],
    ['https://example.com/callbacks/0000999999-00001/CarrierService', /give the part before \/callbacks/],
  ]
  for (const [base, message] of cases) {
    t.throws(() => callbackUrl(base, listener), message, base)
    try {
      callbackUrl(base, listener)
    } catch (error) {
      t.notMatch(String(error), /canary/)
    }
  }
})

t.test('doubts are told, not enforced: what ThingSpace takes is its own affair', async t => {
  const doubts = (url: string, serviceName = 'CarrierService') => doubtsAbout(url, { ...listener, serviceName })
  for (const url of ['https://example.com/x', 'https://example.com:28210/x', 'http://127.0.0.1:3000/x']) {
    t.strictSame(doubts(url), [], url)
  }
  t.match(doubts('https://example.com:8443/x'), [/only the ports 80, 443.*not 8443/])
  t.match(doubts('http://example.com/x'), [/can be read on their way/])
  t.match(doubts('https://example.com/x', 'NoSuchService'), [/no callback service/])
})
