type Env = { [name: string]: string | undefined }

/**
 * Whether OpenTelemetry's standard variables ask for traces: with an endpoint to send them to, or an exporter by name.
 * Otherwise nothing of OpenTelemetry is loaded. Throws when they ask for something that is not available here.
 */
export function isTracingWanted(env: Env): boolean {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return false
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT
  const exporter = env.OTEL_TRACES_EXPORTER
  if (exporter && exporter !== 'otlp') {
    throw new Error(`OTEL_TRACES_EXPORTER: only otlp and none are here, not ${exporter}`)
  }
  if (!endpoint && !exporter) return false
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL
  if (protocol && protocol !== 'http/json') {
    throw new Error(
      'OTEL_EXPORTER_OTLP_PROTOCOL: traces are sent as http/json, which every collector takes at port 4318',
    )
  }
  return true
}
