import { createSimulator, type SimulatorControl, type SimulatorOptions } from './simulator.ts'

export interface StartOptions extends SimulatorOptions {
  /** Default 127.0.0.1. */
  host?: string
  /** Default 0: any free one. */
  port?: number
}

export interface RunningSimulator extends SimulatorControl {
  /** Its page, and the service's THINGSPACE_BASE_URL. */
  url: string
  close(): Promise<void>
}

/** A simulated carrier that listens, in this process. */
export const startSimulator = async (options: StartOptions = {}): Promise<RunningSimulator> => {
  const { app, control } = createSimulator(options)
  const url = await app.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
  return { ...control, url, close: () => app.close() }
}
