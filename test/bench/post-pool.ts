import { openPost, type Post } from '../torture/post.ts'

export interface PostPool {
  /** The status; 599 where the connection broke. Waits for a connection that is free. */
  send(body: string): Promise<number>
  close(): void
}

/** Connections for posting to one path that take next to nothing of the processors that they share with the server. */
export function openPostPool(url: string, path: string, connections: number): PostPool {
  const open = Array.from({ length: connections }, () => openPost(url, path))
  const free: Post[] = [...open]
  const waiting: ((post: Post) => void)[] = []
  return {
    async send(body) {
      const post = free.pop() ?? (await new Promise<Post>(resolve => waiting.push(resolve)))
      const status = await post.send(body)
      const next = waiting.shift()
      if (next === undefined) free.push(post)
      else next(post)
      return status ?? 599
    },
    close() {
      for (const post of open) post.close()
    },
  }
}
