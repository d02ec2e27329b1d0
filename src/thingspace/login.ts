import { LoginAnswer, TokenAnswer } from './answers.ts'
import { type CarrierHost, call } from './call.ts'

export interface Credentials {
  key: string
  secret: string
  username: string
  password: string
}

export interface FreshToken {
  accessToken: string
  expiresInMs: number
}

/** The application's token. Asked for again within its hour, the carrier gives the same one [DOC] CRED. */
export const requestToken = async (host: CarrierHost, { key, secret }: Credentials): Promise<FreshToken> => {
  const answer = await call(
    host,
    {
      during: 'token request',
      method: 'POST',
      path: '/api/ts/v1/oauth2/token',
      headers: {
        authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials',
    },
    TokenAnswer,
  )
  return { accessToken: answer.access_token, expiresInMs: secondsIn(answer.expires_in) * 1000 }
}

/** A number, or one in quotes; else the documented hour. */
const secondsIn = (life: unknown): number => {
  const seconds = typeof life === 'string' && life !== '' ? Number(life) : life
  return typeof seconds === 'number' && seconds >= 0 && seconds <= 1e9 ? seconds : 3600
}

export const loginCall = 'session login'

/** A session of the UWS user. Five refused ones in a row lock the account until support unlocks it [DOC] LOGIN. */
export const logIn = async (host: CarrierHost, accessToken: string, { username, password }: Credentials) => {
  const answer = await call(
    host,
    {
      during: loginCall,
      method: 'POST',
      path: '/api/m2m/v1/session/login',
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    },
    LoginAnswer,
  )
  return answer.sessionToken
}
