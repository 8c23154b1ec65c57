import Foundation
import Models
import TestSupport
import Testing

/// Settings that cannot be meant end a job with 64 and one sentence that names the flag, its value and the remedy.
@Suite(.serialized) struct BadConfigurationTests {
  static let help = "See swift-dp-train --help."

  static let models = ModelName.allCases.map(\.rawValue).joined(separator: ", ")

  /// Arguments and the sentence.
  static let impossible: [(String, String)] = [
    ("--model resnet", "--model resnet is not known; give one of \(models)."),
    (
      "--dataset imagenet",
      "--dataset imagenet is not known; give one of fashion-mnist, mnist, cifar10, cifar100, synthetic."
    ),
    ("--schedule linear", "--schedule linear is not known; give one of constant, step, cosine, polynomial."),
    (
      "--all-reduce star",
      "--all-reduce star is not known; give one of ring, segmented-ring, halving-doubling, recursive-doubling, "
        + "hierarchical, torus, double-tree, auto, native."
    ),
    ("--optimizer adadelta", "--optimizer adadelta is not known; give one of sgd, lars, adamw, lamb, adagrad."),
    ("--optimizer adamw --beta2 1", "--beta2 is 1.0; give a number from 0 up to, but not including, 1."),
    ("--optimizer lamb --epsilon 0", "--epsilon is 0.0; give a positive number."),
    ("--optimizer lars --trust-coefficient 0", "--trust-coefficient is 0.0; give a positive number."),
    (
      "--optimizer adamw --momentum 0.9",
      "--momentum 0.9 with --optimizer adamw cannot be: give --optimizer sgd or lars, or leave it out."
    ),
    ("--beta1 0.9", "--beta1 0.9 with --optimizer sgd cannot be: give --optimizer adamw or lamb, or leave it out."),
    ("--shards-per-group 0", "--shards-per-group 0 cannot be: give at least 1."),
    (
      "--shards-per-group 2",
      "--shards-per-group 2 with --all-reduce ring cannot be: give --all-reduce hierarchical or torus, or leave it out."
    ),
    ("--bogus", "Unknown option '--bogus'. \(help)"),
    ("--learning-rates 0.1", "Unknown option '--learning-rates'. Did you mean '--learning-rate'? \(help)"),
    ("extra", "Unexpected argument 'extra'. \(help)"),
    ("--epochs", "Missing value for '--epochs <epochs>'. \(help)"),
    ("--epochs many", "The value 'many' is invalid for '--epochs <epochs>'. \(help)"),
    ("--seed -1", "The value '-1' is invalid for '--seed <seed>'. \(help)"),
    ("--dropout 1", "--dropout 1.0 cannot be: give a probability from 0 up to, not including, 1."),
    ("--dropout nan", "--dropout nan cannot be: give a probability from 0 up to, not including, 1."),
    ("--batch-size 0", "--batch-size 0 cannot be: give the samples of a global batch, at least 1."),
    ("--batch-size -8", "--batch-size -8 cannot be: give the samples of a global batch, at least 1."),
    ("--epochs 0", "--epochs 0 cannot be: give at least 1."),
    ("--steps 0", "--steps 0 cannot be: give at least 1."),
    ("--epochs 2 --steps 9", "--epochs 2 and --steps 9 together cannot be: give one of them."),
    ("--micro-batch-size 0", "--micro-batch-size 0 cannot be: give at least 1, or leave it out."),
    ("--shards 0", "--shards 0 cannot be: give at least 1."),
    ("--threads-per-shard 0", "--threads-per-shard 0 cannot be: give 1 to 1024."),
    ("--hold-out -1", "--hold-out -1 cannot be: give a number of training images, or 0."),
    ("--random-crop 65", "--random-crop 65 cannot be: give a padding of 0 to 64 pixels."),
    ("--momentum 1", "--momentum is 1.0; give a number from 0 up to, but not including, 1."),
    ("--nesterov --momentum 0", "--nesterov is given without momentum; give --momentum 0.9, or leave --nesterov out."),
    ("--weight-decay -1", "--weight-decay is -1.0; give 0 or a positive number."),
    ("--clip-norm 0", "--clip-norm is 0.0; give a positive number."),
    ("--label-smoothing 1", "--label-smoothing 1.0 cannot be: give 0 up to, not including, 1."),
    ("--warmup-epochs -1", "--warmup-epochs -1.0 cannot be: give 0 or more."),
    ("--milestones 3,x", "--milestones 3,x cannot be: give epochs as 30,60,80 or steps as 500st,800st."),
    ("--scale-lr cubic", "--scale-lr cubic is not known; give one of none, linear, sqrt."),
    ("--scale-lr linear --reference-batch 0", "--reference-batch 0 cannot be: give at least 1."),
    ("--warmup-start small", "--warmup-start small cannot be: give a learning rate, or reference."),
    ("--optimizer lars --lars-form mine", "--lars-form mine is not known; give one of paper, mlperf."),
    ("--schedule polynomial --decay-steps few", "--decay-steps few cannot be: give a number of steps, or mlperf."),
    (
      "--average-parameters 1",
      "--average-parameters is 1.0; give a decay between 0 and 1, as 0.999, or leave it out."
    ),
    (
      "--momentum-correction --momentum 0",
      "--momentum-correction is given without momentum; give --momentum 0.9, or leave --momentum-correction out."
    ),
    ("--bucket-size 4MB", "--bucket-size 4MB cannot be: give a size as 4MiB, 512KiB or 65536."),
    ("--bucket-size 0", "--bucket-size 0 cannot be: give a size as 4MiB, 512KiB or 65536."),
    (
      "--save-every 0",
      "--save-every 0 cannot be: give steps as 200, epochs as 2ep, minutes as 10min, or several. \(help)"
    ),
    (
      "--save-every 2h",
      "--save-every 2h cannot be: give steps as 200, epochs as 2ep, minutes as 10min, or several. \(help)"
    ),
    ("--stop-after 3", "--stop-after 3 cannot be: give a time as 3h50m, 90s or 1d. \(help)"),
    ("--watchdog 0.5", "--watchdog 0.5 cannot be: give at least 1 second, or 0 for none. \(help)"),
    ("--keep 0", "--keep 0 cannot be: give at least 1. \(help)"),
    ("--log-every 0", "--log-every 0 cannot be: give at least 1 step. \(help)"),
    ("--dry-run 0", "--dry-run 0 cannot be: give at least 1 step. \(help)"),
    ("--init-skip fc2", "--init-skip without --init cannot be: name the file that the other parameters come from."),
    ("--synthetic-shape 28x28", "--synthetic-shape 28x28 cannot be: give channels, height and width as 3x32x32."),
    ("--synthetic-train 0", "--synthetic-train 0 cannot be: give at least 1."),
    ("--synthetic-test 0", "--synthetic-test 0 cannot be: give at least 1."),
    ("--synthetic-classes 0", "--synthetic-classes 0 cannot be: give at least 1."),
    // What would have no effect.
    (
      "--reference-batch 128",
      "--reference-batch 128 with --scale-lr none cannot be: give --scale-lr linear or sqrt, or leave it out."
    ),
    (
      "--warmup-start reference",
      "--warmup-start reference with --scale-lr none cannot be: give --scale-lr linear or sqrt, or a rate, or leave it "
        + "out."
    ),
    (
      "--optimizer lamb --nesterov",
      "--nesterov true with --optimizer lamb cannot be: give --optimizer sgd or lars, or leave it out."
    ),
    (
      "--optimizer adamw --momentum-correction",
      "--momentum-correction true with --optimizer adamw cannot be: give --optimizer sgd or lars, or leave it out."
    ),
    ("--lars-form paper", "--lars-form paper with --optimizer sgd cannot be: give --optimizer lars, or leave it out."),
    (
      "--optimizer lars --lars-form paper --epsilon 1e-7",
      "--epsilon 1e-07 with --lars-form paper cannot be: give --lars-form mlperf, or leave it out."
    ),
    (
      "--decay-steps mlperf",
      "--decay-steps mlperf with --schedule cosine cannot be: give --schedule polynomial, or leave it out."
    ),
    (
      "--milestones 3",
      "--milestones 3 with --schedule cosine cannot be: give --schedule step, or leave it out."
    ),
    ("--step-factor 0.5", "--step-factor 0.5 with --schedule cosine cannot be: give --schedule step, or leave it out."),
    (
      "--polynomial-power 3",
      "--polynomial-power 3.0 with --schedule cosine cannot be: give --schedule polynomial, or leave it out."
    ),
    (
      "--schedule constant --final-learning-rate 0.1",
      "--final-learning-rate 0.1 with --schedule constant cannot be: give --schedule cosine or polynomial, or leave "
        + "it out."
    ),
    (
      "--dataset mnist --synthetic-train 100",
      "--synthetic-train 100 with --dataset mnist cannot be: give --dataset synthetic, or leave it out."
    ),
  ]

  @Test(arguments: impossible) func impossibleFlagsEndWithOneSentence(_ arguments: String, _ text: String) throws {
    try Workbench().expectError("error (64): " + text, arguments.split(separator: " ").map(String.init))
  }

  /// Arguments for 12 training images of 4×4, and the sentence that only these can tell.
  static let impossibleForTheData: [(String, String)] = [
    ("--learning-rate 0", "--learning-rate is 0.0; give a positive number."),
    ("--learning-rate nan", "--learning-rate is nan; give a positive number."),
    ("--final-learning-rate 1", "--final-learning-rate is 1.0; give a rate from 0 to the highest one (0.1)."),
    ("--schedule polynomial --polynomial-power 0", "--polynomial-power is 0.0; give a positive number."),
    ("--schedule step", "--schedule step has no milestones; give --milestones 30,60,80, or another schedule."),
    ("--schedule step --milestones 1 --step-factor 0", "--step-factor is 0.0; give a positive number."),
    (
      "--schedule step --milestones 2,1",
      "--milestones are the steps [6, 3], after a warm-up of 0; give them in ascending order, none within the warm-up."
    ),
    (
      "--warmup-epochs 5",
      "--warmup-epochs takes 15 steps, but the whole run has 2; shorten the warm-up, train longer, or use --schedule "
        + "constant."
    ),
    ("--hold-out 12", "--hold-out 12 leaves none of 12 training samples; give at most 11."),
    ("--batch-size 20 --drop-last", "--batch-size 20 with --drop-last leaves no step of 12 samples; lower it."),
    (
      "--model cnn --dataset synthetic --synthetic-shape 1x3x9",
      "--model cnn needs images of at least 4×4 pixels; synthetic has 1×3×9. Choose mlp, or another data set."
    ),
    (
      "--model vgg16 --dataset synthetic --synthetic-shape 3x64x64",
      "--model vgg16 needs images with sides of 224 to 287 pixels, 448 to 511, and so on in steps of 224, which equal "
        + "windows pool into 7×7; synthetic has 3×64×64. Choose mlp, or another data set."
    ),
  ]

  @Test(arguments: impossibleForTheData)
  func whatTheDataMakeImpossibleEndsWithOneSentence(_ arguments: String, _ text: String) throws {
    try Workbench().expectError(
      "error (64): " + text,
      (arguments.contains("synthetic") ? [] : Workbench.mnist) + Workbench.brief
        + arguments.split(separator: " ").map(String.init))
  }

  private static let huge = Int.max

  /// Commands other than `train`, and the sentence.
  static let impossibleElsewhere: [(String, String)] = [
    ("bench codec --seconds inf", "--seconds inf cannot be: give at most 1000000."),
    ("bench codec --seconds nan", "--seconds nan cannot be: give more than 0."),
    ("bench all-reduce --seconds inf", "--seconds inf cannot be: give at most 1000000."),
    ("bench all-reduce --shards 9001", "--shards 9001 cannot be: give at most 9000."),
    (
      "bench all-reduce --sizes 4,4096GiB",
      "--sizes 4096GiB cannot be: give a multiple of 4 bytes as 64MiB, 512KiB or 65536."
    ),
    ("bench step --steps \(huge)", "--steps \(huge) cannot be: give at most 2147483647."),
    ("bench step --classes \(huge)", "--classes \(huge) cannot be: give at most 1000000."),
    ("bench data --epochs \(huge)", "--epochs \(huge) cannot be: give at most 2147483647."),
    ("models show cnn --classes \(huge)", "--classes \(huge) cannot be: give at most 1000000."),
    ("models show cnn --batch-size \(huge)", "--batch-size \(huge) cannot be: give at most 1000000."),
    (
      "checkpoint export --model cnn --classes \(huge) --output x",
      "--classes \(huge) cannot be: give at most 1000000. \(help)"
    ),
    (
      "checkpoint export --model mlp --input 1x65536x65536 --output x",
      "--model mlp of 2,199,023,523,850 parameters cannot be: give smaller images or fewer classes."
    ),
    ("submit slurm --print --time \(huge)d", "--time \(huge)d cannot be: give it as 4h, 90m or 3h50m."),
    // What would have no effect.
    (
      "checkpoint export run --seed 7 --output x",
      "--seed 7 without --model cannot be: give a model, or leave it out. \(help)"
    ),
    (
      "checkpoint export run --input 1x28x28 --output x",
      "--input 1x28x28 without --model cannot be: give a model, or leave it out. \(help)"
    ),
    (
      "checkpoint export run --classes 9 --output x",
      "--classes 9 without --model cannot be: give a model, or leave it out. \(help)"
    ),
    (
      "checkpoint export run --zero-init-residual --output x",
      "--zero-init-residual without --model cannot be: give a model. \(help)"
    ),
    (
      "bench step --shards-per-group 2",
      "--shards-per-group 2 with --all-reduce ring cannot be: give --all-reduce hierarchical or torus, or leave it out."
    ),
    (
      "bench data --synthetic-train 9",
      "--synthetic-train 9 with --dataset fashion-mnist cannot be: give --dataset synthetic, or leave it out."
    ),
    (
      "data info --synthetic-shape 1x2x3",
      "--synthetic-shape 1x2x3 with --dataset fashion-mnist cannot be: give --dataset synthetic, or leave it out."
    ),
    (
      "data order --dataset mnist --synthetic-classes 3",
      "--synthetic-classes 3 with --dataset mnist cannot be: give --dataset synthetic, or leave it out."
    ),
    (
      "data info --dataset synthetic --data-dir data",
      "--data-dir data with --dataset synthetic cannot be: give a data set that has files, or leave it out."
    ),
  ]

  @Test(arguments: impossibleElsewhere)
  func impossibleFlagsOfOtherCommandsEndWithOneSentence(_ arguments: String, _ text: String) throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.alone.run(
      arguments.split(separator: " ").map(String.init), in: directory.url, timeLimit: 60)
    #expect(job.exitCode == 64 && job.standardOutput == "", "\(job.transcript)")
    #expect(job.standardError == "error (64): \(text)\n", "\(job.command)")
    #expect(try contents(of: directory).isEmpty, "\(job.command)")
  }

  /// Contents of a configuration file, and the sentence.
  static let files: [(String, String)] = [
    (
      "model: [cnn",
      "error (64): run.yaml: is not YAML (2:1: error: parser: while parsing a flow sequence in line 1, column 8); "
        + "write one `key: value` a line."
    ),
    ("- model", "error (64): run.yaml: is not a list of settings; write one `key: value` a line."),
    ("models: cnn", "error (64): run.yaml: there is no setting models; see swift-dp-train train --help."),
    (
      "model: cnn\nseed: &s 3\nbatch-size: *s",
      "error (64): run.yaml: line 2 has a YAML anchor or alias (& or *); write one `key: value` a line."
    ),
    ("model:\n  name: cnn", "error (64): run.yaml: model is not a single value; write `model: value`."),
    (
      "model: resnet",
      "error (64): run.yaml: --model resnet is not known; give one of \(models)."
    ),
    (
      "epochs: many",
      "error (64): run.yaml: The value 'many' is invalid for '--epochs <epochs>'. See swift-dp-train --help."
    ),
    ("run-dir: x", "error (64): run.yaml: there is no setting run-dir; see swift-dp-train train --help."),
    ("seed: -1", "error (64): run.yaml: The value '-1' is invalid for '--seed <seed>'. See swift-dp-train --help."),
  ]

  @Test(arguments: files) func aBadFileOfSettingsEndsWithOneSentence(_ contents: String, _ text: String) throws {
    let workbench = try Workbench()
    try workbench.write("run.yaml", Array(contents.utf8))
    try workbench.expectError(text, ["--config", "run.yaml"])
  }

  @Test func aMissingFileOfSettingsEndsWithOneSentence() throws {
    let text = "error (64): --config run.yaml: cannot be read as text; check the path."
    try Workbench().expectError(text, ["--config", "run.yaml"])
  }

  /// What a run writes as its settings, another reads; flags override.
  @Test func theSettingsOfARunAreAFileOfSettings() throws {
    let workbench = try Workbench()
    let url = workbench.directory.url
    let first = try Launch.alone.run(
      ["train", "--run-dir", "first", "--clip-norm", "2", "--random-crop", "1", "--horizontal-flip"] + Workbench.mnist
        + Workbench.brief, in: url)
    let again = try Launch.ranks(1).run(["train", "--run-dir", "again", "--config", "first/config.yaml"], in: url)
    let other = try Launch.alone.run(
      [
        "train", "--run-dir", "other", "--config", "first/config.yaml", "--epochs", "1", "--no-shuffle",
        "--random-crop=0",
        "--no-horizontal-flip",
      ], in: url)
    for job in [first, again, other] { try #require(job.exitCode == 0, "\(job.transcript)") }
    #expect(try workbench.bytes("first/config.yaml") == workbench.bytes("again/config.yaml"))
    func summary(_ name: String, _ job: CommandResult) throws -> String {
      try Record(job, directory: url.appendingPathComponent(name)).summary
    }
    #expect(try summary("first", first) == summary("again", again))
    #expect(try summary("first", first) != summary("other", other))
    let settings = String(decoding: try workbench.bytes("other/config.yaml"), as: UTF8.self)
    for line in ["epochs: 1", "shuffle: false", "random-crop: 0", "horizontal-flip: false"] {
      #expect(settings.contains("\n\(line)\n"), "\(settings)")
    }
  }
}
