import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, default: 0, description })
const ms = (preset: number, description: string) =>
  Type.Number({ minimum: 0, maximum: 86_400_000, default: preset, description })
const oneOf = <const T extends string>(values: readonly T[], preset: T, description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: values, default: preset, description })

export const callbackShapes = ['documented', 'lower-case', 'string-counts', 'arrays', 'pascal-case'] as const
export const errorShapes = ['unified', 'digits', 'gateway', 'xml', 'oauth'] as const
export const refusable = ['any', 'token', 'login', 'actions', 'status', 'listeners'] as const

/** How the carrier behaves. Shares are of 1 and decided by the seed; a carrier of defaults behaves well. */
export const Settings = Type.Object(
  {
    timeScale: Type.Number({
      minimum: 0.000001,
      maximum: 1000,
      default: 1,
      description: 'multiplies the long waits: late, both retries, the old password, the life of tokens and sessions',
    }),
    answerAfterMs: ms(0, 'until an action is answered'),
    callbackAfterMs: ms(200, 'from the answer to the first callback'),
    callbackSpreadMs: ms(300, 'from the first callback to the last; 0 is a burst'),
    shape: oneOf(callbackShapes, 'documented', 'how a callback is written'),
    activateService: Type.String({ default: 'CarrierService', description: 'the service of activation callbacks' }),

    early: share('requests whose callbacks come before their own answer'),
    late: share('profiles whose callback comes late'),
    lateAfterMs: ms(1_200_000, 'how late (scaled)'),
    never: share('profiles whose callback never comes'),
    twice: share('callbacks sent again, with callbackCount 2, while the first still runs'),
    shuffled: Type.Boolean({ default: false, description: 'the callbacks of a request in any order' }),
    warning: share('profiles that get a warning first'),
    finalAfterWarningMs: ms(500, 'from the warning to the final word'),
    fault: share('profiles that fail'),
    faultCode: Type.String({ default: 'REQUEST_FAILED.DeviceAlreadyActive', maxLength: 200 }),
    contradict: share('profiles that succeed and then fail as well'),
    addressFault: share('successes whose address update failed'),

    retryUnansweredAfterMs: ms(4000, 'an unanswered callback is sent again beside the first (scaled); 0: never'),
    retryRefused: oneOf(['documented', 'observed', 'never'], 'documented', '3 more every 5 minutes, or 1 more at once'),
    retryAfterMs: ms(300_000, 'the documented interval (scaled)'),
    giveUpAfterMs: ms(60_000, 'until an unanswered attempt is broken off'),
    oldPassword: share('callbacks that still carry the old password after a rotation'),
    oldPasswordForMs: ms(835_000, 'for how long after it (scaled)'),

    expireSession: share('calls whose session is refused as expired'),
    refuse: share('calls that are refused'),
    refuseWith: oneOf(errorShapes, 'unified', 'with which error body'),
    refuseOn: oneOf(refusable, 'any', 'which calls'),
    loseAnswer: share('actions that are taken, and whose answer is lost'),
    requestsPerMinute: Type.Integer({ minimum: 0, default: 100, description: 'actions; past it 429; 0: no limit' }),
    topStatusSuccess: Type.Boolean({ default: false, description: 'status says Success while parts are pending' }),
    statusContradicts: share('profiles of which the status says the opposite of the callback'),
  },
  { additionalProperties: false },
)
export type Settings = Static<typeof Settings>

const validator = Compile(Settings)

/** The settings with some of them changed, or an error that names the first one that cannot be. */
export const changeSettings = (settings: Partial<Settings>, changes: Partial<Settings>): Settings => {
  const named = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
  const changed = validator.Default({ ...settings, ...named })
  if (validator.Check(changed)) return changed
  const [first] = validator.Errors(changed)
  throw new RangeError(`setting ${first?.instancePath.slice(1) || '?'} ${first?.message ?? 'is not valid'}`)
}

/** A bad day: everything at once, and yet nothing that a good receiver could not put right. */
export const badDay: Partial<Settings> = {
  early: 0.3,
  late: 0.02,
  never: 0.02,
  twice: 0.1,
  shuffled: true,
  warning: 0.05,
  fault: 0.05,
  oldPassword: 0.3,
  expireSession: 0.05,
}
