import Collectives
import Optimizers

extension Recipe {
  /// Every resolved setting by the name of its flag: what the run's `config.yaml` holds and `--config` reads back.
  public func settings(_ inputs: InputFiles = InputFiles()) -> [(key: String, value: String?)] {
    var lengthSetting: (key: String, value: String?) {
      switch length {
      case .epochs(let epochs): ("epochs", "\(epochs)")
      case .steps(let steps): ("steps", "\(steps)")
      }
    }
    return [
      ("model", model.rawValue), ("dropout", "\(dropout)"), ("init", inputs.parameters.map(yaml)),
      ("init-skip", inputs.skippedLayers.isEmpty ? nil : yaml(inputs.skippedLayers.joined(separator: ","))),
      ("dataset", dataset.rawValue), ("data-dir", inputs.dataDirectory.map(yaml)),
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
      ("plan", yaml("\(planSource)")),
      ("recompute", recomputation.rawValue), ("precision", precision.rawValue), ("all-reduce", allReduce.rawValue),
      ("shards-per-group", shardsPerGroup.map(String.init)), ("bucket-size", ByteCount(bucketBytes).text),
    ]
  }

  /// The settings as a YAML file.
  public func configurationText(_ inputs: InputFiles = InputFiles()) -> String { Self.text(settings(inputs)) }

  static func text(_ settings: [(key: String, value: String?)]) -> String {
    settings.map { key, value in "\(key): \(value ?? "null")\n" }.joined()
  }
}

/// A text of a user's as a YAML scalar, which reads back as it is.
private func yaml(_ text: String) -> String {
  let isPlain = text.wholeMatch(of: #/[A-Za-z0-9_.\/][A-Za-z0-9_.\/+,=@%-]*/#) != nil
  guard !isPlain || ["true", "false", "null"].contains(text) else { return text }
  return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
}
