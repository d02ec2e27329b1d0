// Follows every change, and loses none when it is stopped, killed or cut off.
//   npm install openapi-fetch
//   npx -p typescript@5 -p openapi-typescript openapi-typescript $SERVICE_URL/openapi.json -o thingspace.d.ts
//   SERVICE_URL=http://127.0.0.1:3000 TOKEN=... node follow.ts
import { readFile, rename, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import createClient from 'openapi-fetch'
import type { components, paths } from './thingspace.d.ts'

type Change = components['schemas']['Change']
type Profile = components['schemas']['Profile']

const client = createClient<paths>({
  baseUrl: process.env.SERVICE_URL ?? 'http://127.0.0.1:3000',
  headers: { authorization: `Bearer ${process.env.TOKEN}` },
})

/** The profile as it is now. Asked again, it costs a 304 as long as nothing has changed. */
const known = new Map<string, { tag: string; profile: Profile }>()
async function profileOf(iccid: string): Promise<Profile | undefined> {
  const header = { 'if-none-match': known.get(iccid)?.tag ?? '""' }
  const { data, response } = await client.GET('/v1/profiles/{iccid}', { params: { path: { iccid }, header } })
  const { status } = response
  if (data !== undefined) known.set(iccid, { tag: response.headers.get('etag') ?? '', profile: data })
  else if (status === 404) known.delete(iccid)
  // What is not known now can't be dealt with: the program ends, and goes on from its cursor when it is started again.
  else if (status !== 304) throw new Error(`a profile was asked for, and ${status} answered`)
  return known.get(iccid)?.profile
}

/** Comes at least once for every change: after a crash, those of the last answer come again, with the same cursors. */
async function handle({ cursor, kind, requestId, iccid }: Change): Promise<void> {
  const profile = iccid === null ? undefined : await profileOf(iccid)
  console.log(cursor, kind, requestId, iccid, profile?.state, profile?.profileRole)
}

let after = await readFile('cursor', 'utf8').catch(() => undefined)
for (;;) {
  // Answered at once when there is something, else as soon as there is, at the latest after 30 seconds.
  const query = after === undefined ? { wait: 30 } : { wait: 30, after }
  const answer = await client.GET('/v1/changes', { params: { query } }).catch(() => undefined)
  // Waiting cures none of these. 410: what comes after the cursor is not there any more; remove it, and begin anew.
  if (answer?.error !== undefined && [400, 401, 403, 410].includes(answer.response.status)) {
    throw new Error(answer.error.errorMessage)
  }
  if (answer?.data === undefined) {
    await pause(1_000 * Number(answer?.response.headers.get('retry-after') ?? 1))
    continue
  }
  for (const change of answer.data.items) await handle(change)
  // Only when all of it is done. Written whole or not at all.
  after = answer.data.cursor
  await writeFile('cursor.new', after)
  await rename('cursor.new', 'cursor')
}
