import Foundation
import MPI

/// The hosts of a job and what is wrong with them: what the command `doctor` is, as a value.
public struct Diagnosis: Codable, Sendable {
  /// Of rank 0.
  public var machine: Machine
  public var ranks: Int
  public var hosts: [Host]
  /// How to start a job on rank 0's host.
  public var launch: [String]
  /// What has to be done, each a sentence; empty where all is well.
  public var fixes: [String]

  public struct Host: Codable, Sendable {
    public var name: String
    public var ranks: [Int]
    public var cores: Int
  }

  /// Looks at all hosts. Collective; equal on all ranks but for `machine`.
  public init(_ world: Communicator) throws {
    let machine = Machine()
    let onNode = try world.splitByNode().size
    let names = try world.allGather(machine.host)
    let cores = try world.allGather([machine.cores])
    let fingerprints = try world.allGather(machine.fingerprint)
    let remedies = try world.allGather(machine.remedies(ranksOnNode: onNode).joined(separator: "\n"))

    self.machine = machine
    ranks = world.size
    launch = machine.launchCommand
    var hosts: [Host] = []
    for (rank, name) in names.enumerated() {
      if let index = hosts.firstIndex(where: { $0.name == name }) {
        hosts[index].ranks.append(rank)
      } else {
        hosts.append(Host(name: name, ranks: [rank], cores: cores[rank]))
      }
    }
    self.hosts = hosts

    var fixes: [String] = []
    var places: [String: [String]] = [:]
    for (rank, text) in remedies.enumerated() {
      for remedy in text.split(separator: "\n").map(String.init) {
        if places[remedy] == nil { fixes.append(remedy) }
        if !(places[remedy] ?? []).contains(names[rank]) { places[remedy, default: []].append(names[rank]) }
      }
    }
    fixes = fixes.map { fix in
      let found = places[fix] ?? []
      return found.count == hosts.count ? fix : "on \(found.joined(separator: ", ")): \(fix)"
    }
    if let stranger = fingerprints.firstIndex(where: { $0 != fingerprints[0] }) {
      fixes.append(
        "rank \(stranger) on \(names[stranger]) computes with other bits than rank 0 on \(names[0]): it has "
          + "\(fingerprints[stranger]), rank 0 has \(fingerprints[0]); use hosts of one kind.")
    }
    self.fixes = fixes
  }
}
