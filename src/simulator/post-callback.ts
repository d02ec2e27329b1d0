import http from 'node:http'
import https from 'node:https'

export type PostResult = { status: number } | { status: null }

/** Posts callbacks as the carrier does: HTTP/1.1, kept-alive sockets, its own User-Agent, no redirects [OBS] PIDGE. */
export const createPoster = () => {
  const agents = {
    'http:': new http.Agent({ keepAlive: true, maxFreeSockets: 256 }),
    'https:': new https.Agent({ keepAlive: true, maxFreeSockets: 256 }),
  }
  const running = new Set<http.ClientRequest>()

  /** The status once the whole answer is there; null for a reset or no answer in time. */
  const post = (to: string, text: string, giveUpAfterMs: number): Promise<PostResult> =>
    new Promise(resolve => {
      const url = new URL(to)
      const secure = url.protocol === 'https:'
      const payload = Buffer.from(text)
      const request = (secure ? https : http).request(url, {
        method: 'POST',
        agent: agents[secure ? 'https:' : 'http:'],
        headers: {
          'content-type': 'application/json',
          'content-length': payload.byteLength,
          'user-agent': "Verizon's callback service",
        },
      })
      const giveUp = setTimeout(() => request.destroy(), giveUpAfterMs)
      giveUp.unref()
      running.add(request)
      const end = (result: PostResult) => {
        clearTimeout(giveUp)
        running.delete(request)
        resolve(result)
      }
      request.on('response', response => {
        response.on('end', () => end({ status: response.statusCode ?? 0 }))
        response.on('error', () => end({ status: null }))
        response.resume()
      })
      request.on('error', () => end({ status: null }))
      request.on('close', () => end({ status: null }))
      request.end(payload)
    })

  return {
    post,
    stop: () => {
      for (const request of running) request.destroy()
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}
export type Poster = ReturnType<typeof createPoster>
