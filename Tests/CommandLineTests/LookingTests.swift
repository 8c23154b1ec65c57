import Foundation
import TestSupport
import Testing

/// Commands that look and train nothing: orders of data, checks, models, the machine.
@Suite(.serialized) struct LookingTests {
  private func output(_ arguments: [String], _ launch: Launch = .alone) throws -> String {
    let directory = try TemporaryDirectory()
    let job = try launch.run(arguments, in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 0 && job.standardError == "", "\(job.transcript)")
    let left = try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
    #expect(left == [], "\(job.command) leaves \(left)")
    return job.standardOutput
  }

  /// Each epoch has every sample once, another order, the batches of the plan and shards that follow one another.
  @Test func ordersAreWholeEpochs() throws {
    var epochs: [[Int]] = []
    for (epoch, shards) in [(0, 3), (1, 3), (1, 1)] {
      let text = try output([
        "data", "order", "--dataset", "synthetic", "--synthetic-train", "23", "--seed", "5", "--epoch", "\(epoch)",
        "--batch-size", "7", "--shards", "\(shards)",
      ])
      var ids: [Int] = []
      var headings: [String] = []
      for line in text.split(separator: "\n") {
        let parts = line.split(separator: ":", omittingEmptySubsequences: false)
        headings.append(String(parts[0]))
        ids += parts[1].split(separator: " ").compactMap { Int($0) }
      }
      #expect(
        headings
          == (0..<4).flatMap { batch in (0..<shards).map { "epoch \(epoch) batch \(batch) shard \($0)" } })
      #expect(ids.sorted() == Array(0..<23))
      epochs.append(ids)
    }
    #expect(epochs[0] != epochs[1] && epochs[1] == epochs[2])
  }

  /// A check says what a run would do, is the same on any ranks where it must be, and writes nothing.
  @Test func checksWriteNothing() throws {
    let arguments =
      ["check", "--run-dir", "r", "--shards", "5", "--batch-size", "12", "--model", "mlp", "--steps", "30"]
      + synthetic("1x6x6", train: 27, test: 9)
    func facts(_ text: String) -> [String] {
      text.components(separatedBy: "\n").filter { $0.contains("shard") && !$0.hasPrefix("ranks") }
    }
    let alone = try output(arguments)
    #expect(facts(alone).contains { $0.hasSuffix("disjoint: 27 samples of the first epoch, each in one shard once") })
    #expect(alone.hasSuffix("this run can start\n") && alone.contains("\nrun       r can be written\n"))
    #expect(try facts(output(arguments, .ranks(3))) == facts(alone))
  }

  @Test func checksFindWhatWouldStopARun() throws {
    let workbench = try Workbench()
    try workbench.write("file", [1])
    for (arguments, code, text) in [
      (["--shards", "2"], 64, "3 ranks cannot host 2 shards: start at most 2 ranks, or raise --shards."),
      (
        ["--warmup-epochs", "9"], 64,
        "--warmup-epochs takes 27 steps, but the whole run has 2; shorten the warm-up, "
          + "train longer, or use --schedule constant."
      ),
      (["--run-dir", "file"], 74, ""),
      (
        ["--data-dir", "nowhere"], 65,
        "No train-images-idx3-ubyte or train-images-idx3-ubyte.gz in nowhere: give "
          + "--data-dir the directory that holds it."
      ),
    ] as [([String], Int32, String)] {
      let job = try Launch.ranks(3).run(
        ["check"] + Workbench.mnist + Workbench.brief + arguments, in: workbench.directory.url, timeLimit: 60)
      #expect(job.exitCode == code && job.standardOutput == "" && !job.timedOut, "\(job.transcript)")
      let errors = job.standardError.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(errors.count == 2 && errors[0].hasPrefix("error (\(code)): \(text)"), "\(job.transcript)")
    }
  }

  @Test func modelsAreListed() throws {
    let text = try output(["models", "list"])
    for numbers in [
      ["lenet5", "421,642", "4,241,152"], ["mlp", "669,706", "668,672"], ["cnn", "3,274,634", "13,883,904"],
      ["resnet18-cifar", "11,173,962", "555,422,720"], ["resnet50", "25,557,032", "4,089,184,256"],
      ["shufflenet-v2", "3×224×224", "1,000", "2,278,604", "144,907,992"],
    ] {
      let line = text.split(separator: "\n").first { $0.hasPrefix(numbers[0] + " ") } ?? ""
      #expect(numbers.allSatisfy { line.contains($0) }, "\(line)")
    }
    let shown = try output(["models", "show", "cnn", "--parameters", "--plan", "--batch-size", "4"])
    #expect(shown.contains("conv2.weight") && shown.contains("64×32×5×5") && shown.contains("\ntraining 4\n"))
    // Every instruction has a time; what convolutions and inner products reach is compared with the peak.
    let plan = try #require(shown.components(separatedBy: "\ntraining 4\n").last).split(separator: "\n")
    #expect(plan[0].contains(#/ms +GFLOP/s +of peak +instruction/#), "\(plan[0])")
    for operation in ["convolution conv2", "backward data conv2", "backward weights conv2", "inner product fc1"] {
      #expect(
        plan.contains { $0.contains(operation) && $0.contains(#/^ *[0-9.]+ +[0-9,]+ +[0-9]+% +/#) },
        "\(operation): \(plan)")
    }
    #expect(plan.dropFirst().allSatisfy { $0.contains(#/^ *[0-9.]+ +/#) }, "\(plan)")
    let untimed = try output(["models", "show", "cnn", "--plan", "--no-times", "--batch-size", "4"])
    let lines = try #require(untimed.components(separatedBy: "\ntraining 4\n").last).split(separator: "\n")
    #expect(lines.count == plan.count - 2 && lines[0].hasPrefix("convolution conv1 "), "\(lines)")
  }

  /// The machine is described once, whatever the ranks; findings that need action say so.
  @Test func theDoctorSpeaksOnce() throws {
    for launch in [Launch.alone, .ranks(3)] {
      let text = try output(["doctor"], launch)
      #expect(text.split(separator: "\n").count { $0.hasPrefix("program ") } == 1, "\(text)")
      let object = try JSONSerialization.jsonObject(with: Data(try output(["doctor", "--json"], launch).utf8))
      #expect(object is [String: Any])
    }
  }

  @Test func aStepIsTimed() throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.ranks(2).run(
      [
        "bench", "step", "--model", "lenet5", "--input", "1x12x12", "--batch-size", "8", "--steps", "3", "--json",
        "step.json",
      ], in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let data = try Data(contentsOf: directory.url.appendingPathComponent("step.json"))
    let all = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for key in ["samples_per_second_best", "samples_per_second_median", "gflops", "share_of_peak", "start_seconds"] {
      let value = try #require(all[key] as? Double, "\(key)")
      #expect(value > 0, "\(key)")
    }
    #expect((all["milliseconds"] as? [String: Any])?.isEmpty == false)
  }

  /// Both plans are in the file.
  @Test func aComparedStepIsWrittenToo() throws {
    let directory = try TemporaryDirectory()
    let job = try Launch.alone.run(
      [
        "bench", "step", "--model", "lenet5", "--input", "1x12x12", "--batch-size", "8", "--steps", "2", "--compare",
        "library", "--json", "step.json",
      ], in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let data = try Data(contentsOf: directory.url.appendingPathComponent("step.json"))
    let all = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let other = try #require(all["compared"] as? [String: Any])
    #expect(Set(all.keys) == Set(other.keys).union(["compared"]))
    let times = [all, other].compactMap { $0["start_seconds"] as? Double }
    #expect(times.count == 2 && times[0] != times[1], "\(times)")
  }

  /// Where the figures go to the standard output no file takes its place, and the table follows them.
  @Test func figuresMayGoToTheStandardOutput() throws {
    let directory = try TemporaryDirectory()
    let link = directory.url.appendingPathComponent("figures").path
    // By a link, so that a mistake here costs the machine no device.
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/dev/stdout")
    let arguments = ["bench", "codec", "--codec", "float16", "--elements", "1024", "--seconds", "0.001"]
    let job = try Launch.alone.run(arguments + ["--json", "figures"], in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 0 && job.standardError == "", "\(job.transcript)")
    let parts = job.standardOutput.components(separatedBy: "\n]\n")
    try #require(parts.count == 2 && parts[1].hasPrefix("1,024 elements, 0.00 MiB\n\ncodec "), "\(job.transcript)")
    #expect(try JSONSerialization.jsonObject(with: Data((parts[0] + "\n]").utf8)) is [[String: Any]])
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "/dev/stdout")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["figures"])
  }

  @Test func codecsAreTimed() throws {
    let directory = try TemporaryDirectory()
    let arguments = ["bench", "codec", "--elements", "70000", "--seconds", "0.001", "--json", "codecs.json"]
    let job = try Launch.alone.run(arguments, in: directory.url, timeLimit: 60)
    try #require(job.exitCode == 0, "\(job.transcript)")
    let data = try Data(contentsOf: directory.url.appendingPathComponent("codecs.json"))
    let rows = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    #expect(rows.count == 11)
    for row in rows {
      for key in ["ratio", "encode_gbs", "decode_gbs", "copy_gbs"] {
        let value = try #require(row[key] as? Double, "\(key)")
        #expect(value > 0 && value.isFinite, "\(row)")
      }
    }
    // 68 rows of 1,024: half the bytes, and a bit an element with two floats a row.
    let bytes = Dictionary(uniqueKeysWithValues: rows.map { ($0["codec"] as? String, $0["bytes"] as? Int) })
    #expect(bytes["float16"] == 68 * 2048 && bytes["1-bit"] == 68 * (128 + 8) && bytes["powersgd:2"] == 8 * (68 + 1024))

    let bad = try Launch.alone.run(["bench", "codec", "--codec", "top-k:2"], in: directory.url, timeLimit: 60)
    #expect(bad.exitCode == 64 && bad.standardError.contains("--codec") && bad.standardError.contains("top-k:2"))
  }
}
