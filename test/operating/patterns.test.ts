import t from 'tap'
import { patternInWords } from '../../src/operating/patterns.ts'
import { device } from '../fixtures/make-callback.ts'
import { account, type Row, takeTestService } from '../fixtures/service.ts'

t.test('an error says in words what a value must be, and shows no expression', async t => {
  const service = await takeTestService(t)
  const devices = [{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }]
  const put = (body: object, requestId = 'abc') =>
    service.call('PUT', `/v1/activations/${requestId}`, { body: { accountName: account, devices, ...body } })
  const words: [Promise<Row>, string][] = [
    [put({}, 'a_b'), 'path parameter: requestId must be 3 to 64 letters, digits and dashes'],
    [put({ operation: 'Activate' }), 'body: operation must be up to 40 lower-case letters and underscores'],
    [put({ submittedAt: 'now' }), 'body: submittedAt must be a time such as 2026-11-23T18:47:00.000Z'],
    [
      put({ devices: [{ deviceIds: [{ kind: 'mdn', id: '1' }] }] }),
      'body: devices.0.deviceIds.0.kind must be eid, iccid or imei',
    ],
    [put({ devices: [{ deviceIds: [{ kind: 'eid', id: ' ' }] }] }), 'body: devices.0.deviceIds.0.id must not be blank'],
    [service.get('/v1/profiles?state=%20'), 'query parameter: state must hold no control character, and not be blank'],
    [service.get('/v1/profiles/%01'), 'path parameter: iccid must hold no control character, and not be empty'],
    [service.get('/v1/activations?status=failed&status=mixed'), 'query parameter: status must not come more than once'],
    [
      service.get('/v1/profiles?result=Failed'),
      'query parameter: result must be one of pending, warning, succeeded, failed, conflict',
    ],
    [
      service.get('/v1/profiles?changedAfter=2026-11-23T18:47:00+00:00'),
      'query parameter: changedAfter must be a time such as 2026-11-23T18:47:00.000Z; in a URL, + is written %2B',
    ],
    [
      service.call('POST', '/v1/activations/x/settle', { body: { taken: false } }),
      'path parameter: requestId must be the name of an unknown activation, submission-...',
    ],
  ]
  for (const [answer, errorMessage] of words) t.match(await answer, { status: 400, body: { errorMessage } })
})

t.test('every pattern of a route has its words', async t => {
  const service = await takeTestService(t)
  const text = JSON.stringify((await service.get('/openapi.json')).body)
  const patterns = new Set(
    [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, pattern = '']) => JSON.parse(pattern)),
  )
  t.ok(patterns.size > 4)
  for (const pattern of patterns) t.type(patternInWords(pattern), 'string', pattern)
})
