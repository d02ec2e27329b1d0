import t from 'tap'
import { Compile } from 'typebox/compile'
import { ActivationRequest, requestDigest, targetsAskedFor } from '../../src/activations/activation-request.ts'

const shape = Compile(ActivationRequest)
const devices = (...all: Record<string, string>[]) => ({
  accountName: '0000123456-00001',
  devices: all.map(ids => ({ deviceIds: Object.entries(ids).map(([kind, id]) => ({ kind, id })) })),
})
const digest = (request: ReturnType<typeof devices>) => requestDigest(request).toString('hex')

t.test('devices are asked for in normal form and in order', async t => {
  t.strictSame(targetsAskedFor(devices({ ICCID: ' 8999 0001 ', Eid: 'X', IMEI: '49-015420-323751-8' }, { eid: 'Y' })), [
    { iccid: '89990001', eid: 'X', imei: '490154203237518' },
    { iccid: null, eid: 'Y', imei: null },
  ])
})

t.test('entries that mean one device are one target, with all that any of them names', async t => {
  const twice = devices({ iccid: 'A', eid: 'X' }, { iccid: 'B' }, { iccid: 'A', imei: '1' }, { iccid: 'A' })
  t.strictSame(targetsAskedFor(twice), [
    { iccid: 'A', eid: 'X', imei: '1' },
    { iccid: 'B', eid: null, imei: null },
  ])
  t.match(
    targetsAskedFor(devices({ iccid: 'A', eid: 'X' }, { iccid: 'A', eid: 'Y' })),
    [{ eid: 'X' }],
    'the first word holds',
  )
  t.equal(targetsAskedFor(devices({ imei: '490154203237518' }, { imei: '49015420323751' })).length, 1)
})

t.test('an entry that names several profiles asks for each of them', async t => {
  const of = (...deviceIds: [kind: string, id: string][]) =>
    targetsAskedFor({ devices: [{ deviceIds: deviceIds.map(([kind, id]) => ({ kind, id })) }] })
  t.strictSame(of(['iccid', 'A'], ['eid', 'X'], ['ICCID', 'B'], ['iccid', ' A']), [
    { eid: 'X', iccid: 'A', imei: null },
    { eid: 'X', iccid: 'B', imei: null },
  ])
  t.match(of(['imei', '1'], ['eid', 'X'], ['eid', 'Y']), [{ eid: 'X' }, { eid: 'Y' }])
  t.match(of(['imei', '1'], ['imei', '2']), [{ imei: '1' }, { imei: '2' }])
  t.strictSame(of(['imei', '1'], ['imei', '2'], ['eid', 'X']), [{ eid: 'X', iccid: null, imei: '1' }], 'of one device')
})

t.test('requests that ask the same are equal, whatever their order and spelling', async t => {
  const one = devices({ iccid: 'A', eid: 'X' }, { iccid: 'B' })
  t.equal(digest(one), digest(devices({ ICCID: 'B' }, { Eid: ' X', Iccid: 'A' })))
  t.equal(digest(one), digest({ ...one, operation: 'activate' } as typeof one))
  t.equal(digest(one), digest(devices({ iccid: 'A' }, { iccid: 'B' }, { iccid: 'A', eid: 'X' })))
  const others = [
    { ...one, accountName: 'another' },
    { ...one, operation: 'enable' },
    { ...one, servicePlan: 'P' },
    { ...one, mdnZipCode: '12345' },
    devices({ iccid: 'A', eid: 'X' }),
    devices({ iccid: 'A' }, { iccid: 'B', eid: 'X' }),
  ]
  t.equal(new Set([one, ...others].map(digest)).size, others.length + 1)
})

t.test('a device is named by at least one identifier that is not blank', async t => {
  t.ok(shape.Check(devices({ iccid: '20-digit ICCID' })))
  for (const id of ['', ' ', '\t\n']) t.notOk(shape.Check(devices({ iccid: id })), JSON.stringify(id))
  t.notOk(shape.Check(devices({ mdn: '5555550101' })), 'a phone number names no device')
  t.notOk(shape.Check(devices({})))
  t.notOk(shape.Check(devices()))
})
