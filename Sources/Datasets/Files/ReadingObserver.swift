/// Told the path of a file when it is opened and with each piece that is read of it, as a watchdog wants to know.
public typealias ReadingObserver = (_ path: String) -> Void
