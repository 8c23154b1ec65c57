import CMPI

extension Communicator {
  /// The rank whose message with a tag can be received without waiting for it to arrive; nil where there is none. Makes
  /// progress.
  ///
  /// Messages of one rank are found in the order in which it sent them.
  public func senderOfNext(tag: Int) throws -> Int? {
    var status = MPI_Status()
    var flag: Int32 = 0
    try check(MPI_Iprobe(cmpi_any_source(), Int32(tag), handle.raw, &flag, &status), "MPI_Iprobe")
    return flag == 0 ? nil : Int(status.MPI_SOURCE)
  }
}
