import {
  type Delivery,
  identifiersOf,
  type Message,
  normalMessage,
  type ProfileName,
} from '../fixtures/model-messages.ts'
import {
  abandon,
  type Command,
  mendDatabase,
  plainMessage,
  pry,
  query,
  record,
  recordAgain,
  repeat,
  reprocessAll,
  send,
  storm,
  together,
  waitForInbox,
} from './commands.ts'
import type { RecordBody } from './ledger.ts'

const again: Delivery = {
  callbackCount: 3,
  order: 7,
  upperKinds: true,
  previousPassword: true,
  service: 'DeviceProfileService',
}

/** Ways to every interesting state that leave nothing to chance. */
export const scenarios: { [sentence: string]: Command[] } = {
  'callbacks overtake their activation, which is recorded through the API': [
    send(0, says({})),
    repeat(0, again),
    send(0, says({ says: 'warning', about: [named(1)], note: 1 })),
    record('api', 0, 0, body([named(0), named(1), named(2)])),
    send(0, says({ note: 1 })),
    query(0, 'activation', 0),
    query(0, 'tag', 0),
    recordAgain(0, 'api', 'order'),
    recordAgain(0, 'api', 'plan'),
    pry(0),
  ],
  'callbacks overtake their activation, which is recorded by plain SQL': [
    send(1, says({ request: 1 })),
    repeat(0, again),
    record('sql', 1, 1, body([named(0), named(1)])),
    waitForInbox(),
    recordAgain(0, 'sql', 'none'),
    recordAgain(0, 'sql', 'devices'),
    query(1, 'activation', 1),
  ],
  'warnings come before and after the final word, and a fault after a success': [
    record('api', 0, 0, body([named(0), named(1), named(2)])),
    send(0, says({ says: 'warning' })),
    send(0, says({})),
    send(0, says({ says: 'warning', note: 1 })),
    send(0, says({ about: [named(1)] })),
    send(0, says({ about: [named(1)], says: 'fault' })),
    send(0, says({ about: [named(1), named(4)], says: 'fault', note: 1 })),
    send(0, says({ about: [named(2)], says: 'on-hold' })),
    query(0, 'profile', 0),
  ],
  'one callback many times at once, before and after its activation is recorded': [
    storm(0, says({}), 60, 1),
    record('api', 0, 0, body([named(0)])),
    storm(0, says({ note: 1 }), 60, 2),
    storm(1, says({ says: 'unreadable', variant: 1 }), 60, 3),
    abandon(0, says({ says: 'warning' }), 1),
    repeat(0, again),
  ],
  'an activation is recorded in the middle of its callbacks': [
    together(0, allProfiles({}), body([named(0), named(1), { device: 1 }, named(4)]), 4),
    together(1, allProfiles({ says: 'warning' }), body([named(0), { device: 1 }]), 5),
    together(1, allProfiles({ note: 1 }), null, 6),
  ],
  'consumer eSIM: asked for by EID and IMEI, with a callback of the device and one of both its profiles': [
    record('api', 0, 2, body([{ device: 0 }, { device: 1 }])),
    send(0, says({ request: 2, about: [named(0), named(1)], spelling: 'lists' })),
    send(0, says({ request: 2, about: [named(2)], level: 'device' })),
    send(0, says({ request: 2, about: [named(3)], says: 'fault', spelling: 'pascal' })),
    query(0, 'device', 0),
  ],
  'of several activations the newest is shown, whatever comes last': [
    record('api', 0, 0, { ...body([named(0)]), submittedAt: '2026-01-02T00:00:00.000Z' }),
    record('api', 0, 1, { ...body([named(0)]), submittedAt: '2026-01-01T00:00:00.000Z' }),
    send(0, says({ variant: 1 })),
    send(0, says({ variant: 2, request: 1 })),
    send(0, says({ variant: 0, request: 2 })),
    record('api', 0, 2, { ...body([named(0)]), submittedAt: '2025-12-31T00:00:00.000Z' }),
    query(0, 'profile', 0),
  ],
  'what the database refuses is quarantined, mended and reprocessed': [
    record('api', 0, 0, body([named(0), named(1)])),
    send(0, says({ refused: true })),
    send(0, says({ refused: true, about: [named(0), named(1)], says: 'warning' })),
    send(0, says({ refused: true, request: 1 })),
    together(0, [...allProfiles({}), says({ refused: true, note: 1 })], null, 7),
    repeat(1, again),
    reprocessAll(0, { dryRun: true }),
    reprocessAll(0, { verdict: 'quarantined' }),
    mendDatabase(),
    reprocessAll(0, { verdict: 'quarantined' }),
    query(0, 'activation', 0),
  ],
  'what has no effect is kept': [
    send(0, says({ says: 'other' })),
    ...[0, 1, 2, 3, 4, 5].map(variant => send(0, says({ says: 'unreadable', variant }))),
    repeat(1, again),
    repeat(2, again),
    reprocessAll(0, {}),
    record('api', 0, 0, body([named(0)])),
    send(0, says({ credential: false })),
    send(0, says({ credential: false, note: 2 })),
    query(0, 'callbacks', 0),
  ],
}

function says(what: Partial<Message>): Message {
  return normalMessage({ ...plainMessage, ...what })
}

function named(nth: number): ProfileName {
  return { device: Math.floor(nth / 2), profile: nth % 2 }
}

function allProfiles(what: Partial<Message>): Message[] {
  return [0, 1, 2, 3, 4, 5].map(nth => says({ ...what, about: [named(nth)] }))
}

/** A profile, or a device whose ICCIDs the carrier makes. */
function body(asked: (ProfileName | { device: number })[]): RecordBody {
  const devices = asked.map(one => {
    if ('profile' in one) return identifiersOf(one)
    const { eid, imei } = identifiersOf({ ...one, profile: 0 })
    return { eid, imei }
  })
  return { devices, servicePlan: 'EXAMPLE_PLAN', submittedAt: null }
}
