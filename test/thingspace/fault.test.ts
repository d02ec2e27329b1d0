import t from 'tap'
import { faultClass, isFinalFault } from '../../src/thingspace/fault.ts'

t.test('a fault code is told by its class, after any service name', async t => {
  const cases: [code: string | null, known: string | null, final: boolean][] = [
    ['UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive', 'REQUEST_FAILED', true],
    ['CarrierService.REQUEST_FAILED.DeviceAlreadyActive', 'REQUEST_FAILED', true],
    ['INPUT_INVALID.Iccid', 'INPUT_INVALID', true],
    ['Some.Other.Service.REQUEST_CANCELLED', 'REQUEST_CANCELLED', true],
    ['UnifiedWebService.REQUEST_ONHOLD.Approval', 'REQUEST_ONHOLD', false],
    ['Renamed.REQUEST_ONHOLD', 'REQUEST_ONHOLD', false],
    ['REQUEST_ONHOLD', 'REQUEST_ONHOLD', false],
    ['unifiedwebservice.request_onhold.approval', 'REQUEST_ONHOLD', false],
    ['UnifiedWebService.NOT_REQUEST_ONHOLD.X', null, true],
    ['Some.Thing.New', null, true],
    ['', null, true],
    [null, null, true],
  ]
  for (const [code, known, final] of cases) {
    t.strictSame({ known: faultClass(code), final: isFinalFault(code) }, { known, final }, String(code))
  }
})
