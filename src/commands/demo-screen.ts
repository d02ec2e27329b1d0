import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

export interface Screen {
  /** A terminal: the progress line rewrites itself, and colours are possible. */
  live: boolean
  width: number
  say(text?: string): void
  /** What is going on right now. When not on a terminal, a plain line every two seconds at most. */
  progress(text: string): void
  /** Ends the progress line. */
  clear(): void
  /** To standard error, without breaking up the progress line. */
  warn(text: string): void
  /** Prints nothing more: what happens while everything shuts down is no news. */
  mute(): void
  paint(style: Style, text: string): string
}

export function createScreen(out: NodeJS.WriteStream, err: NodeJS.WriteStream): Screen {
  const live = out.isTTY === true
  const width = Math.max(60, Math.min(out.columns ?? 100, 100))
  let shown = ''
  let muted = false
  let plainAt = 0

  function wipe(): void {
    if (live && shown !== '') out.write('\r\x1b[2K')
  }
  function again(): void {
    if (live && shown !== '') out.write(shown)
  }

  return {
    live,
    width,
    say(text = '') {
      if (muted) return
      wipe()
      out.write(`${text}\n`)
      again()
    },
    progress(text) {
      const line = text.slice(0, width - 1)
      if (muted || line === shown) return
      if (live) {
        wipe()
        shown = line
        again()
      } else if (Date.now() - plainAt >= 2_000) {
        plainAt = Date.now()
        shown = line
        out.write(`${line}\n`)
      }
    },
    clear() {
      wipe()
      shown = ''
    },
    warn(text) {
      if (muted) return
      wipe()
      err.write(`${text}\n`)
      again()
    },
    mute() {
      wipe()
      shown = ''
      muted = true
    },
    // styleText respects NO_COLOR and terminals without colours.
    paint: (style, text) => (live ? styleText(style, text, { stream: out }) : text),
  }
}

/** JSON with several short members on a line, so that a device fits on a screen. */
export function foldJson(value: unknown, width: number, indent = ''): string {
  const flat = flatJson(value)
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= width) return flat
  const inner = `${indent}  `
  const members = Array.isArray(value)
    ? value.map(item => foldJson(item, width, inner))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${foldJson(item, width, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${packLines(members, width - inner.length)
    .map(line => inner + line)
    .join('\n')}\n${indent}${close}`
}

function flatJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flatJson).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${flatJson(item)}`)
  return `{${members.join(', ')}}`
}

function packLines(members: string[], width: number): string[] {
  const lines: string[] = []
  for (const [at, member] of members.entries()) {
    const text = at === members.length - 1 ? member : `${member},`
    const last = lines.at(-1)
    const joined = `${last} ${text}`
    if (last !== undefined && joined.length <= width && !joined.includes('\n')) lines[lines.length - 1] = joined
    else lines.push(text)
  }
  return lines
}
