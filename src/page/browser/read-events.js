/**
 * Reads the text of a stream of Server-Sent Events, in whatever pieces it comes.
 * @param {(id: string) => void} onEvent called with the id of each whole event
 * @returns {(text: string) => void} takes the next piece
 */
export function readEvents(onEvent) {
  let rest = ''
  return text => {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const id = /^id: ?(.*)$/m.exec(block)?.[1]
      if (id !== undefined && /^data:/m.test(block)) onEvent(id)
    }
  }
}
