import CKernels

/// Moves running statistics of batch normalisation towards a batch's: running = (1 − momentum)·running + momentum·value,
/// element by element. Same bits under every instruction set and wherever a slice starts.
public func updateRunningStatistic(
  _ running: UnsafeMutableBufferPointer<Float>, towards value: UnsafeBufferPointer<Float>, momentum: Float
) {
  precondition(running.count == value.count, "\(running.count) running statistics for \(value.count) values")
  guard let target = running.baseAddress, let source = value.baseAddress else { return }
  ck_blend(target, source, momentum, running.count)
}
