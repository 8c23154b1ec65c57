extension Graph {
  /// What a node of a graph computes. Shapes are `[samples, channels, height, width]` or `[samples, features]`.
  ///
  /// The forward operations come from tracing a model, the backward ones from differentiating it. An operation that has
  /// parameters names them in the order given here.
  public enum Operation: Sendable, Hashable {
    // Forward. Inputs → outputs.
    /// External memory number `index`, row-major: the images of a batch are number 0.
    case input(index: Int)
    /// x → y; parameters weight, and bias if it has one.
    case convolution(Window, groups: Int, hasBias: Bool)
    /// x → y = x·weightᵀ (+ bias); parameters weight [out, in], and bias if it has one.
    case innerProduct(hasBias: Bool)
    /// x → y, and a workspace that remembers where each maximum stood.
    case maxPool(Window)
    /// x → y; padding counts as zeros in the average.
    case averagePool(Window)
    /// x [n, c, h, w] → y [n, c, 1, 1].
    case globalAveragePool
    case relu
    /// x → min(max(x, 0), 6).
    case relu6
    /// x → y, and the batch's mean and variance [c]; parameters scale, shift, running mean, running variance.
    case batchNorm(epsilon: Float)
    /// x → y: the same batch normalisation by the running statistics.
    case batchNormInference(epsilon: Float)
    /// x → y: elements kept with probability 1 − p and scaled by 1/(1 − p), by random numbers under the layer's name.
    case dropout(probability: Float)
    /// a, b → a + b.
    case add
    /// Inputs side by side along the channels.
    case concatenate
    /// x → its channels from `offset` on, as many as y has.
    case sliceChannels(offset: Int)
    /// x → y, which has x as its channels from `offset` on and zeros beside them.
    case padChannels(offset: Int)
    /// x → y: channel i·(c/groups) + j of x is channel j·groups + i of y.
    case shuffleChannels(groups: Int)
    /// The same elements under another shape.
    case reshape

    // The loss.
    /// logits [n, classes] → gradient of the logits. Also adds up the batch's losses and its correct answers.
    case softmaxCrossEntropy(labelSmoothing: Float)
    /// logits → nothing: loss and correct answers only.
    case softmaxCrossEntropyLoss

    // Backward. "dy" is the gradient of the forward output, "dx" of its input.
    /// dy → dx; parameter weight.
    case convolutionBackwardData(Window, groups: Int)
    /// x, dy → nothing; makes the gradients of weight and bias.
    case convolutionBackwardWeights(Window, groups: Int, hasBias: Bool)
    /// dy → dx; parameter weight.
    case innerProductBackwardData
    /// x, dy → nothing; makes the gradients of weight and bias.
    case innerProductBackwardWeights(hasBias: Bool)
    /// dy, workspace → dx.
    case maxPoolBackward(Window)
    /// dy → dx.
    case averagePoolBackward(Window)
    case globalAveragePoolBackward
    /// y, dy → dx.
    case reluBackward
    /// y, dy → dx, which is zero where y is 0 or 6.
    case relu6Backward
    /// x, mean, variance, dy → dx; makes the gradients of scale and shift.
    case batchNormBackward(epsilon: Float)
    /// mean, variance → nothing; makes the shard's contribution to the running statistics.
    case batchNormStatistics
    /// dy → dx: the forward mask, computed again.
    case dropoutBackward(probability: Float)

    // Made of others by `Graph.fused`.
    /// x (, residual) → y, and the batch's mean and variance; parameters as `batchNorm`.
    case fusedBatchNorm(BatchNormFusion)
    /// x (, residual), mean, variance → the same y once more (`Graph.recomputing`).
    case fusedBatchNormAgain(BatchNormFusion)
    /// Inputs → y: channel i of y is channel `channels[i]` of the inputs side by side, or zero where that is −1.
    case gatherChannels([Int])
    /// x (, residual) → y by the running statistics.
    case fusedBatchNormInference(BatchNormFusion)
    /// x, mean, variance, dy → dx; with a residual and a ReLU: x, mean, variance, dy, y → dx and the residual's gradient.
    /// Where it accumulates, an earlier gradient of x is the last input and dx the sum. Makes the gradients of scale and
    /// shift.
    case fusedBatchNormBackward(BatchNormFusion)
  }
}
