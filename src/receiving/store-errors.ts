export class StoreBusy extends Error {
  override name = 'StoreBusy'
}

export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

/**
 * The database is there and would not take this callback, not even as an unreadable one: no other callback is affected.
 */
export class StoreRefused extends StoreUnavailable {
  override name = 'StoreRefused'
}
