/** One call that the carrier was asked, without anything secret of it. */
export interface AskedCall {
  at: string
  method: string
  path: string
  status: number
  requestId: string | null
  devices: number | null
}

const most = 10_000

/** The last calls, oldest first. */
export const createAskedLog = () => {
  let calls: AskedCall[] = []
  return {
    add: (call: AskedCall) => {
      calls.push(call)
      if (calls.length > most * 2) calls = calls.slice(-most)
    },
    all: (): AskedCall[] => calls.slice(-most),
  }
}
export type AskedLog = ReturnType<typeof createAskedLog>
