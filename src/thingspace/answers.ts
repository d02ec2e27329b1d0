import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

// Only what we use is asked for; whatever else the carrier adds is let through.

/** A header value: anything else would make fetch throw an error that quotes it. */
const Token = Type.String({ pattern: '^[\\x21-\\x7e]{1,8192}$' })

/** [3P] RUST; Verizon documents only that a token lasts one hour. */
export const TokenAnswer = Compile(Type.Object({ access_token: Token, expires_in: Type.Optional(Type.Unknown()) }))

/** [DOC] LOGIN */
export const LoginAnswer = Compile(Type.Object({ sessionToken: Token }))

/** The SDK's pattern; examples show a UUID, but nothing promises one. */
export const RequestAnswer = Compile(Type.Object({ requestId: Type.String({ pattern: '^[A-Za-z0-9-]{3,64}$' }) }))

const unread = Type.Optional(Type.Unknown())

/** One part of another form must not keep the others from being told, so what may be missing is read piece by piece. */
export const StatusAnswer = Compile(
  Type.Object({
    requestId: Type.String(),
    status: unread,
    subRequests: Type.Optional(Type.Union([Type.Array(Type.Object({ ids: unread, status: unread })), Type.Null()])),
  }),
)

/** A number is none: it has lost its last digits. */
export const IdAnswer = Compile(Type.Object({ id: Type.String(), kind: Type.String() }))

export const RegisteredAnswer = Compile(Type.Object({ accountName: Type.String(), serviceName: Type.String() }))

const text = Type.Optional(Type.Union([Type.String(), Type.Null()]))

/** The list says `serviceName` where the registration said `name` [DOC] LIST, and an empty one may be no body [3P]. */
export const ListenersAnswer = Compile(
  Type.Array(
    Type.Object({
      accountName: text,
      serviceName: Type.String(),
      url: Type.String(),
      username: text,
      password: text,
    }),
  ),
)
