import CKernels
import Networks

/// Batch normalisation with the addition and the ReLU behind it (CKernels/batch_norm.h).
struct BlockedBatchNorm: OwnKernel {
  let shape: ck_batch_norm
  let fusion: BatchNormFusion
  /// Whether mean and variance are there already: the running ones, or those of this batch.
  let isGiven: Bool
  let source: Plan.Location
  let residual: Plan.Location?
  let scale: Plan.Location
  let shift: Plan.Location
  let mean: Plan.Location
  let variance: Plan.Location
  /// Floats from one image to the next, where the source is the first channels of a larger value; else 0.
  let sourceStride: Int
  let result: Plan.Location
  private let team = KernelTeam()

  init(
    _ shape: ck_batch_norm, _ fusion: BatchNormFusion, isGiven: Bool, source: Plan.Location,
    residual: Plan.Location?, scale: Plan.Location, shift: Plan.Location, mean: Plan.Location,
    variance: Plan.Location, sourceStride: Int, result: Plan.Location
  ) {
    (self.shape, self.fusion, self.isGiven) = (shape, fusion, isGiven)
    (self.source, self.residual, self.sourceStride, self.result) = (source, residual, sourceStride, result)
    (self.scale, self.shift, self.mean, self.variance) = (scale, shift, mean, variance)
  }

  var name: String { "own" }
  var scratchBytes: Int { 0 }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    var job = ck_batch_norm_forward_job()
    job.shape = shape
    job.source = UnsafeRawPointer(place(source))
    job.residual = residual.map { UnsafeRawPointer(place($0)) }
    job.scale = floats(place(scale))
    job.shift = floats(place(shift))
    job.mean = mutableFloats(place(mean))
    job.variance = mutableFloats(place(variance))
    job.given = isGiven ? 1 : 0
    job.relu = fusion.ceiling == nil ? 0 : 1
    job.ceiling = fusion.ceiling ?? .infinity
    job.source_stride = sourceStride
    job.result = place(result)
    ck_batch_norm_forward(&job, team.run, team.parts)
  }
}

/// The gradients that belong to it.
struct BlockedBatchNormBackward: OwnKernel {
  let shape: ck_batch_norm
  let fusion: BatchNormFusion
  let source: Plan.Location
  /// With a residual and a ReLU.
  let result: Plan.Location?
  let diffResult: Plan.Location
  let scale: Plan.Location
  let shift: Plan.Location
  let mean: Plan.Location
  let variance: Plan.Location
  /// What is added to the source's gradient.
  let earlier: Plan.Location?
  /// As `BlockedBatchNorm.sourceStride`.
  let strides: (source: Int, earlier: Int, diffSource: Int)
  let diffSource: Plan.Location
  /// With a residual and a ReLU.
  let diffResidual: Plan.Location?
  let diffScale: Plan.Location
  let diffShift: Plan.Location
  private let team = KernelTeam()

  init(
    _ shape: ck_batch_norm, _ fusion: BatchNormFusion, source: Plan.Location, result: Plan.Location?,
    diffResult: Plan.Location, scale: Plan.Location, shift: Plan.Location, mean: Plan.Location,
    variance: Plan.Location, earlier: Plan.Location?, strides: (source: Int, earlier: Int, diffSource: Int),
    diffSource: Plan.Location, diffResidual: Plan.Location?, diffScale: Plan.Location, diffShift: Plan.Location
  ) {
    (self.earlier, self.strides) = (earlier, strides)
    (self.shape, self.fusion) = (shape, fusion)
    (self.source, self.result, self.diffResult) = (source, result, diffResult)
    (self.scale, self.shift, self.mean, self.variance) = (scale, shift, mean, variance)
    (self.diffSource, self.diffResidual, self.diffScale, self.diffShift) = (
      diffSource, diffResidual, diffScale, diffShift
    )
  }

  var name: String { "own" }
  var scratchBytes: Int { 0 }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    var job = ck_batch_norm_backward_job()
    job.shape = shape
    job.source = UnsafeRawPointer(place(source))
    job.result = result.map { UnsafeRawPointer(place($0)) }
    job.diff_result = UnsafeRawPointer(place(diffResult))
    job.scale = floats(place(scale))
    job.shift = floats(place(shift))
    job.mean = floats(place(mean))
    job.variance = floats(place(variance))
    job.relu = fusion.ceiling == nil ? 0 : 1
    job.ceiling = fusion.ceiling ?? .infinity
    job.earlier = earlier.map { UnsafeRawPointer(place($0)) }
    job.source_stride = strides.source
    job.earlier_stride = strides.earlier
    job.diff_source_stride = strides.diffSource
    job.diff_source = place(diffSource)
    job.diff_residual = diffResidual.map(place)
    job.diff_scale = mutableFloats(place(diffScale))
    job.diff_shift = mutableFloats(place(diffShift))
    ck_batch_norm_backward(&job, team.run, team.parts)
  }
}
