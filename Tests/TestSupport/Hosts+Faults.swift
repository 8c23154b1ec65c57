/// What happens to hosts and links, for tests of what a job does then.
extension Hosts {
  /// Stops all processes of a host, as a machine that hangs: its kernel still takes packets.
  public func freeze(_ host: Int) throws { try order("freeze \(host)") }

  /// Lets them go on.
  public func thaw(_ host: Int) throws { try order("thaw \(host)") }

  /// Ends a host and its link at once, as a loss of power. It does not come back.
  public func killHost(_ host: Int) throws { try order("kill \(host)") }

  /// Takes a host's link down: packets are lost without notice.
  public func cutLink(_ host: Int) throws { try order("cut \(host)") }

  /// Takes it up again.
  public func mendLink(_ host: Int) throws { try order("mend \(host)") }

  /// Limits all links anew; nil lifts a limit.
  public func shape(_ bandwidth: Bandwidth?, latency: Latency? = nil) throws {
    try order((["shape"] + Self.shape(bandwidth, latency)).joined(separator: " "))
  }
}
