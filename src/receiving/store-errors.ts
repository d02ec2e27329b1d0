export class StoreBusy extends Error {
  override name = 'StoreBusy'
}

export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

/** The database is there, and would not take this callback, not even as unreadable: no other one is concerned. */
export class StoreRefused extends StoreUnavailable {
  override name = 'StoreRefused'
}
