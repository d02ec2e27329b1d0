import fc from 'fast-check'
import t from 'tap'
import {
  type IdentifierKind,
  identifierFlag,
  imeiBase,
  isIdentifierKind,
  normalIdentifier,
  normalKind,
  passesLuhn,
  passesMod97,
  sameImei,
} from '../../src/thingspace/identifiers.ts'
import { holds } from '../fixtures/holds.ts'
import { device } from '../fixtures/make-callback.ts'

t.test('a kind is the same kind in any case', async t => {
  for (const kind of ['Iccid', 'ICCID', 'iccid', ' Iccid ']) t.equal(normalKind(kind), 'iccid', kind)
  t.ok(isIdentifierKind('msisdn'))
  t.notOk(isIdentifierKind('meid'))
})

t.test('an identifier is brought to its digits where it has digits', async t => {
  const cases: [kind: string, id: string, normal: string][] = [
    ['iccid', '89999000000000000015', '89999000000000000015'],
    ['iccid', ' 8999 9000 0000 0000 0015 ', '89999000000000000015'],
    ['iccid', '8999900000000000001F', '8999900000000000001'],
    ['iccid', '8999900000000000001f', '8999900000000000001'],
    ['imei', '49-015420-323751-8', '490154203237518'],
    ['msisdn', '+1 555.555.0101', '15555550101'],
    ['mdn', '0005550101', '0005550101'],
    ['iccid', '20-digit ICCID', '20-digit ICCID'],
    ['msisdn', '1+ 10-digit phone number', '1+ 10-digit phone number'],
    ['iccid', 'A100008385E561', 'A100008385E561'],
    ['iccid', 'F', 'F'],
    ['eid', '  ', ''],
    ['mdn', '١٢٣', '١٢٣'],
  ]
  for (const [kind, id, normal] of cases) t.equal(normalIdentifier(kind, id), normal, `${kind} ${JSON.stringify(id)}`)
})

holds(
  t,
  'a normal form is its own normal form',
  fc.property(
    fc.constantFrom('iccid', 'eid', 'imei', 'mdn', 'msisdn'),
    fc.string({ unit: fc.constantFrom('0', '1', '9', 'F', 'f', '+', '-', '.', ' ', 'x') }),
    (kind, id) => {
      const normal = normalIdentifier(kind, id)
      return normalIdentifier(kind, normal) === normal
    },
  ),
)

t.test('what is odd about an identifier is flagged', async t => {
  const { iccid, eid, imei } = device(7)
  const cases: [kind: IdentifierKind, id: string, flag: string | null][] = [
    ['iccid', iccid, null],
    ['iccid', iccid.slice(0, -1) + ((Number(iccid.at(-1)) + 1) % 10), 'iccid-check-digit'],
    ['iccid', '899990000000000000', null],
    ['iccid', '89999000000000000', 'iccid-length'],
    ['iccid', `${iccid}0`, 'iccid-length'],
    ['iccid', '20-digit ICCID', 'iccid-format'],
    ['imei', imei, null],
    ['imei', '490154203237518', null],
    ['imei', '490154203237519', 'imei-check-digit'],
    ['imei', '49015420323751', null],
    ['imei', '4901542032375101', null],
    ['imei', '4901542032375', 'imei-length'],
    ['eid', eid, null],
    ['eid', '89049032123451234512345678901235', null],
    ['eid', '89049032123451234512345678901236', 'eid-check-digit'],
    ['eid', '890490321234512345123456789012', 'eid-length'],
    ['mdn', '5555550101', null],
    ['mdn', '15555550101', 'mdn-length'],
    ['msisdn', '15555550101', null],
    ['msisdn', '46701234', null],
    ['msisdn', '123456789012345', null],
    ['msisdn', '1555555', 'msisdn-length'],
    ['msisdn', '1234567890123456', 'msisdn-length'],
  ]
  for (const [kind, id, flag] of cases) t.equal(identifierFlag(kind, id), flag, `${kind} ${id}`)
})

t.test('the check digits are those of E.118 and SGP.02', async t => {
  t.ok(passesLuhn('79927398713'))
  t.notOk(passesLuhn('79927398710'))
  t.ok(passesMod97('89049032123451234512345678901235'))
  t.notOk(passesMod97('89049032123451234512345678901253'), 'two digits that changed places')
})

t.test('two IMEIs are one device when 14 digits agree', async t => {
  t.ok(sameImei('490154203237518', '49015420323751'))
  t.ok(sameImei('490154203237518', '4901542032375199'))
  t.notOk(sameImei('490154203237518', '490154203237618'))
  t.equal(imeiBase('490154203237518'), '49015420323751')
})
