import { gzipSync } from 'node:zlib'
import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, type Row, takeTestService } from '../fixtures/service.ts'

t.test('a parameter that is not as described is refused by name, at every route', async t => {
  const service = await takeTestService(t)
  const { paths } = (await service.get('/openapi.json')).body
  let asked = 0
  for (const [path, methods] of Object.entries(paths as Row)) {
    const parameters: Row[] = (methods as Row).get?.parameters ?? []
    if (!path.startsWith('/v1/') || path.endsWith('/stream')) continue
    const at = path.replaceAll(/\{(\w+)\}/g, (_, name) => (name === 'kind' ? 'eid' : name === 'id' ? 'x' : 'abc'))
    const refused = async (url: string, name: string) => {
      const { status, body } = await service.get(url)
      t.match(
        { status, body },
        { status: 400, body: { errorCode: '400', errorMessage: new RegExp(`\\b${name}\\b`) } },
        url,
      )
      asked += 1
    }
    for (const { in: place, name, schema } of parameters) {
      if (place === 'path') await refused(path.replace(`{${name}}`, 'a%00b').replaceAll(/\{\w+\}/g, 'eid'), name)
      if (place !== 'query' || /\{id\}/.test(path)) continue
      for (const wrong of ['a%00b', '%', '%zz', '%4', '%ff', 'a%C3', '%ED%A0%80'])
        await refused(`${at}?${name}=${wrong}`, name)
      if (schema.type === 'integer') {
        for (const wrong of ['true', '1.5', '', '%201', '1e2', '0x1', 'null', '-1', `1&${name}=2`])
          await refused(`${at}?${name}=${wrong}`, name)
      }
      if (schema.type === 'boolean') {
        for (const wrong of ['1', '0', 'TRUE', '', 'yes']) await refused(`${at}?${name}=${wrong}`, name)
      }
    }
    if ((methods as Row).get !== undefined && !/\{id\}/.test(path)) await refused(`${at}?unknown=1`, 'unknown')
  }
  t.ok(asked > 80, `${asked} asked`)
})

t.test('a name in a path is what it is however long it is', async t => {
  const service = await takeTestService(t)
  const long = '8'.repeat(10_000)
  for (const [name, path] of [
    ['iccid', `/v1/profiles/${long}`],
    ['iccid', `/v1/profiles/${long}/history`],
    ['id', `/v1/devices/eid/${long}`],
    ['requestId', `/v1/activations/${long}/targets`],
    ['id', `/v1/callbacks/${long}`],
  ] as const) {
    const expected = { status: 400, body: { errorCode: '400', errorMessage: new RegExp(`^path parameter: ${name} `) } }
    t.match(await service.get(path), expected, name)
  }
  for (const path of [`/callbacks/${long}/CarrierService`, `/callbacks/${account}/${long}`]) {
    const answer = await service.call('POST', path, { body: makeCallback() })
    t.match(
      answer,
      { status: 403, body: { errorMessage: 'not accepted' } },
      'a listener of a longer name is unknown too',
    )
  }
})

t.test('a body that is not sent as JSON is refused for that, at every route', async t => {
  const service = await takeTestService(t)
  const { paths } = (await service.get('/openapi.json')).body
  const operations = Object.entries(paths as Row).flatMap(([path, methods]) =>
    Object.entries(methods as Row)
      .filter(([method]) => method !== 'get' && path.startsWith('/v1/'))
      .map(([method, operation]) => ({ method, path, told: (operation as Row).responses['415'] })),
  )
  t.ok(operations.length >= 5)
  for (const { method, path, told } of operations) {
    t.ok(told, `${method} ${path} says so`)
    const at = path.replace('{requestId}', path.endsWith('/settle') ? `submission-${'0'.repeat(36)}` : 'request-1')
    for (const type of ['text/plain', 'text/plain;charset=UTF-8', 'application/x-www-form-urlencoded']) {
      const answer = await service.call(method.toUpperCase(), at, { headers: { 'content-type': type }, body: '{}' })
      t.match(answer, { status: 415, body: { errorMessage: /application\/json/ } }, `${method} ${at} ${type}`)
    }
  }
})

t.test('a body with a character that no text may hold is refused, and nothing of it is kept', async t => {
  const service = await takeTestService(t)
  const devices = [{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }]
  const wrong: [string, string, object][] = [
    ['PUT', '/v1/activations/request-1', { accountName: 'a\u0000b', devices }],
    ['PUT', '/v1/activations/request-1', { accountName: account, servicePlan: '\u0000', devices }],
    [
      'PUT',
      '/v1/activations/request-1',
      { accountName: account, devices: [{ deviceIds: [{ kind: 'eid', id: '1\u00002' }] }] },
    ],
    ['POST', '/v1/callbacks/reprocess', { accountName: 'a\u0000b' }],
    ['POST', '/v1/callbacks/reprocess', { requestId: '\u0000', dryRun: true }],
  ]
  for (const [method, path, body] of wrong) {
    const answer = await service.call(method, path, { body })
    t.match(answer, { status: 400, body: { errorCode: '400', errorMessage: /U\+0000/ } }, JSON.stringify(body))
  }
  t.strictSame((await service.get('/v1/activations')).body.items, [])
  t.match(await service.call('PUT', '/v1/activations/request-1', { body: { accountName: account, devices } }), {
    status: 201,
  })
})

t.test('a body that is compressed is refused for that, and not for what it says', async t => {
  const service = await takeTestService(t)
  const answer = await service.call('POST', '/v1/profiles/lookup', {
    headers: { 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify({ ids: [{ kind: 'iccid', id: device(1).iccid }] })),
  })
  t.match(answer, { status: 415, body: { errorCode: '415', errorMessage: /without Content-Encoding/ } })
})
