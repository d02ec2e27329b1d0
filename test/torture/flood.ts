import { fork } from 'node:child_process'
import { once } from 'node:events'
import { listener } from '../faults/stage.ts'
import { account } from '../fixtures/account.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { openPost, type Post } from './post.ts'
import { quantile } from './scenario.ts'

/** What a flood is told to do; it is a process of its own, so that it never waits for what it measures. */
export interface FloodOrder {
  url: string
  /** At most. Without a rate all of them send, each as soon as it is answered. */
  connections: number
  seconds: number
  /**
   * Requests a second, sent when it is time whatever became of those before them, each on a connection that is free: an
   * open loop, as callers are who know nothing of each other.
   */
  rate?: number
  run: string
}

export interface Flood {
  /** A second: sent, and acknowledged. */
  sent: number
  acknowledged: number
  refused: number
  refusedP50: number
  refusedP99: number
  /** No answer came, or one that is neither 2xx nor 503. */
  failed: number
  /** Not sent when it was time, for want of a connection that was free. */
  unsent: number
  /** Share of one processor that the flood itself took. */
  processor: number
}

export async function flood(order: FloodOrder): Promise<Flood> {
  const child = fork(import.meta.filename)
  child.send(order)
  const [result] = (await once(child, 'message')) as [Flood]
  return result
}

process.on('message', async (order: FloodOrder) => {
  process.send?.(await pour(order))
  process.disconnect()
})

const tickMs = 4

async function pour({ url, connections, seconds, rate, run }: FloodOrder): Promise<Flood> {
  const nextBody = bodies(run)
  const refusals: number[] = []
  const free: Post[] = []
  let [sent, acknowledged, failed, unsent, open] = [0, 0, 0, 0, 0]
  let ended = false

  async function send(post: Post): Promise<void> {
    sent += 1
    const began = performance.now()
    const status = await post.send(nextBody())
    if (status === 503) refusals.push(performance.now() - began)
    else if (status !== null && status < 300) acknowledged += ended ? 0 : 1
    else failed += 1
    if (status === null) open -= 1
    else free.push(post)
  }

  function connection(): Post | null {
    for (let one = free.pop(); one !== undefined; one = free.pop()) {
      if (one.isOpen()) return one
      open -= 1
    }
    if (open === connections) return null
    open += 1
    return openPost(url, `/callbacks/${account}/CarrierService`)
  }

  const sending = new Set<Promise<void>>()
  if (rate !== undefined) await openAll()
  const began = performance.now()
  const before = process.cpuUsage()
  const isOver = () => performance.now() - began >= seconds * 1_000
  if (rate === undefined) {
    for (let n = 0; n < connections; n += 1) sending.add(sendOn())
    while (!isOver()) await pause(tickMs)
  } else {
    for (let due = 0; !isOver(); await pause(tickMs)) {
      const wanted = ((performance.now() - began) / 1_000) * rate
      for (; due < wanted; due += 1) {
        const post = connection()
        if (post === null) unsent += 1
        else track(send(post))
      }
    }
  }
  const took = (performance.now() - began) / 1_000
  const { user, system } = process.cpuUsage(before)
  ended = true
  await Promise.all(sending)
  for (const post of free) post.close()
  return {
    sent: sent / took,
    acknowledged: acknowledged / took,
    refused: refusals.length,
    refusedP50: refusals.length === 0 ? 0 : Math.round(quantile(refusals, 0.5)),
    refusedP99: refusals.length === 0 ? 0 : Math.round(quantile(refusals, 0.99)),
    failed,
    unsent,
    processor: (user + system) / 1e6 / took,
  }

  /**
   * Each has its first answer before it is counted: Node takes one new connection a turn of its event loop, and the
   * flood is to be one of callbacks.
   */
  async function openAll(): Promise<void> {
    const opened = Array.from({ length: connections }, () => connection())
    const queue = opened.filter(post => post !== null)
    const first = async () => {
      for (let post = queue.pop(); post !== undefined; post = queue.pop()) {
        if ((await post.send(nextBody())) === null) open -= 1
        else free.push(post)
      }
    }
    await Promise.all(Array.from({ length: 64 }, first))
  }

  async function sendOn(): Promise<void> {
    while (!ended) {
      const post = connection()
      if (post !== null) await send(post)
      else await pause(tickMs)
    }
  }

  function track(one: Promise<void>): void {
    sending.add(one)
    void one.finally(() => sending.delete(one))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Made from one text by putting identifiers in: making them must cost less than sending them. */
function bodies(run: string): () => string {
  const marks = { requestId: '~request~', iccid: '~iccid~', eid: '~eid~', imei: '~imei~' }
  const parts = JSON.stringify(makeCallback({ ...marks, ...listener })).split('~')
  let n = 0
  return () => {
    n += 1
    const ids: Record<string, string> = { request: `${run}-${n}`, ...device(n) }
    return parts.map((part, at) => (at % 2 === 1 ? ids[part] : part)).join('')
  }
}
