import CKernels

/// Channels of several values put together in a new order (CKernels/gather_channels.h).
struct GatherChannels: OwnKernel {
  let storage: ck_storage
  let batch: Int
  let area: Int
  let sources: [Plan.Location]
  /// The channels of each source.
  let sourceChannels: [Int32]
  /// For each channel of the result the one of all sources side by side that it is, or −1 for zeros.
  let channels: [Int32]
  let result: Plan.Location
  private let team = KernelTeam()

  init(
    in storage: ck_storage, batch: Int, area: Int, sources: [Plan.Location], sourceChannels: [Int], channels: [Int],
    result: Plan.Location
  ) {
    self.storage = storage
    (self.batch, self.area, self.sources, self.result) = (batch, area, sources, result)
    self.sourceChannels = sourceChannels.map(Int32.init)
    self.channels = channels.map(Int32.init)
  }

  var name: String { "own" }
  var scratchBytes: Int { 0 }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: sources.count) { pointers in
      for (index, source) in sources.enumerated() {
        pointers.initializeElement(at: index, to: UnsafeRawPointer(place(source)))
      }
      sourceChannels.withUnsafeBufferPointer { counts in
        channels.withUnsafeBufferPointer { channels in
          var job = ck_gather_channels_job(
            storage: storage, batch: batch, area: area, sources: pointers.baseAddress,
            source_channels: counts.baseAddress,
            source_count: Int32(counts.count), result: place(result), channels: channels.baseAddress,
            channel_count: Int32(channels.count))
          ck_gather_channels(&job, team.run, team.parts)
        }
      }
    }
  }
}
