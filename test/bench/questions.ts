import { device } from '../fixtures/make-callback.ts'
import type { Question } from './ask.ts'
import { type Contestant, token } from './processes.ts'
import { account } from './requests.ts'

const many = 500

/** Single devices, one after the other. */
export function deviceQuestions(): Question[] {
  return Array.from({ length: many }, (_, n) => ({ method: 'GET', path: `/v1/devices/eid/${device(n + 1).eid}` }))
}

/** The same by one who knows the answers. */
export async function unchangedQuestions({ url }: Contestant): Promise<Question[]> {
  const questions: Question[] = []
  for (const question of deviceQuestions()) {
    const response = await fetch(url + question.path, { headers: { authorization: `Bearer ${token}` } })
    await response.arrayBuffer()
    questions.push({ ...question, etag: response.headers.get('etag') ?? '' })
  }
  return questions
}

export const listQuestions: Question[] = [{ method: 'GET', path: `/v1/profiles?accountName=${account}&limit=100` }]

export const lookupQuestions: Question[] = [
  {
    method: 'POST',
    path: '/v1/profiles/lookup',
    body: JSON.stringify({
      ids: Array.from({ length: 1_000 }, (_, n) => ({ kind: 'iccid', id: device(n + 1).iccid })),
    }),
  },
]
