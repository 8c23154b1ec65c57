/// The speed of a link, as `tc` reads it.
public struct Bandwidth: Sendable, Hashable {
  let text: String
  public let bytesPerSecond: Double

  public static func megabits(_ count: Int) -> Bandwidth {
    Bandwidth(text: "\(count)mbit", bytesPerSecond: Double(count) * 125_000)
  }
  public static func gigabits(_ count: Int) -> Bandwidth { megabits(1000 * count) }
}

/// The time that a packet takes from host to host, as `tc` reads it.
public struct Latency: Sendable, Hashable {
  let text: String

  public static func microseconds(_ count: Int) -> Latency { Latency(text: "\(count)us") }
}
