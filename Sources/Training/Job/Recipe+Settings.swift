import Collectives
import Optimizers

extension Recipe {
  /// Every resolved setting by the name of its flag: what the run's `config.yaml` holds and `--config` reads back.
  public func settings(dataDirectory: String?) -> [(key: String, value: String?)] {
    var lengthSetting: (key: String, value: String?) {
      switch length {
      case .epochs(let epochs): ("epochs", "\(epochs)")
      case .steps(let steps): ("steps", "\(steps)")
      }
    }
    return [
      ("model", model.rawValue), ("dropout", "\(dropout)"), ("dataset", dataset.rawValue), ("data-dir", dataDirectory),
      ("synthetic-shape", "\(synthetic.shape)"), ("synthetic-classes", "\(synthetic.classCount)"),
      ("synthetic-train", "\(synthetic.trainCount)"), ("synthetic-test", "\(synthetic.testCount)"),
      ("zero-init-residual", "\(zeroesResiduals)"), ("hold-out", "\(holdOut)"), ("shuffle", "\(shuffles)"),
      ("drop-last", "\(dropsLast)"),
      ("random-crop", "\(randomCrop)"),
      ("horizontal-flip", "\(flipsHorizontally)"), ("seed", "\(seed)"),
      ("batch-size", "\(batchSize)"), lengthSetting, ("micro-batch-size", microBatchSize.map(String.init)),
      ("shards", shards.map(String.init)), ("threads-per-shard", threadsPerShard.map(String.init)),
      ("optimizer", optimizer.rawValue), ("beta1", "\(beta1)"), ("beta2", "\(beta2)"),
      ("epsilon", epsilon.map { "\($0)" }), ("trust-coefficient", "\(trustCoefficient)"),
      ("lars-form", larsForm.rawValue), ("learning-rate", "\(learningRate)"),
      ("scale-lr", learningRateScaling.rawValue), ("reference-batch", "\(referenceBatchSize)"),
      ("momentum", "\(momentum)"), ("nesterov", "\(nesterov)"), ("momentum-correction", "\(correctsMomentum)"),
      ("weight-decay", "\(weightDecay)"), ("decay-all", "\(decaysAll)"), ("clip-norm", clipNorm.map { "\($0)" }),
      ("label-smoothing", "\(labelSmoothing)"), ("average-parameters", averageDecay.map { "\($0)" }),
      ("schedule", schedule.rawValue), ("warmup-epochs", warmupEpochs.map { "\($0)" }),
      ("warmup-start", "\(warmupStart)"),
      ("milestones", milestones.isEmpty ? nil : milestones.map(\.description).joined(separator: ",")),
      ("step-factor", "\(stepFactor)"), ("polynomial-power", "\(polynomialPower)"),
      ("decay-steps", decaySteps.text), ("final-learning-rate", "\(finalLearningRate)"), ("method", method.rawValue),
      ("compress", compression.description),
      ("local-steps", "\(localSteps)"), ("local-after", "\(localAfterEpochs)"),
      ("local-momentum", localMomentum.rawValue), ("elastic-rate", elasticRate.map { "\($0)" }),
      ("push-overlap", "\(pushOverlaps)"), ("servers", "\(servers)"), ("push-every", "\(pushEvery)"),
      ("fetch-every", "\(fetchEvery)"),
      ("staleness", staleness.rawValue), ("delay-compensation", "\(delayCompensation)"), ("backup", "\(backupWorkers)"),
      ("push-probability", "\(pushProbability)"),
      ("plan", "\(planSource)"),
      ("recompute", recomputation.rawValue), ("precision", precision.rawValue), ("all-reduce", allReduce.rawValue),
      ("shards-per-group", shardsPerGroup.map(String.init)), ("bucket-size", ByteCount(bucketBytes).text),
    ]
  }

  /// The settings as a YAML file.
  public func configurationText(dataDirectory: String?) -> String {
    settings(dataDirectory: dataDirectory).map { key, value in "\(key): \(value ?? "null")\n" }.joined()
  }
}
