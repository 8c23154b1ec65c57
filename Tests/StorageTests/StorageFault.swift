import Foundation
import TestSupport

/// What `libStorageFaults` does at a call of the program that it is loaded into.
struct StorageFault: CustomStringConvertible {
  enum Action: Equatable {
    case fail(Int32)
    /// A write writes half of what it was given.
    case short
    case kill
    case stall(milliseconds: Int)
  }

  var action: Action
  /// The chosen call, from 1 on, among those of `kinds`.
  var call: Int
  var kinds = Call.Kind.allCases
  /// Whether every such call from the chosen one on is meant.
  var isLasting = false

  var description: String {
    let action =
      switch action {
      case .fail(let error): "\(String(cString: strerror(error)))"
      default: "\(self.action)"
      }
    let kinds = kinds.count == Call.Kind.allCases.count ? "call" : kinds.map { "\($0)" }.joined(separator: "/")
    return "\(action) at \(kinds) \(call)\(isLasting ? " and all later ones" : "")"
  }

  private var variables: [String: String] {
    var variables = [
      "STORAGE_FAULTS_AT": "\(call)", "STORAGE_FAULTS_LASTING": isLasting ? "1" : "0",
      "STORAGE_FAULTS_CALLS": kinds.map { "\($0)" }.joined(separator: ","),
    ]
    switch action {
    case .fail(let error):
      variables["STORAGE_FAULTS_ACTION"] = "fail"
      variables["STORAGE_FAULTS_ERROR"] = "\(error)"
    case .short: variables["STORAGE_FAULTS_ACTION"] = "short"
    case .kill: variables["STORAGE_FAULTS_ACTION"] = "kill"
    case .stall(let milliseconds):
      variables["STORAGE_FAULTS_ACTION"] = "stall"
      variables["STORAGE_FAULTS_MILLISECONDS"] = "\(milliseconds)"
    }
    return variables
  }

  /// The environment of a program whose calls below `root` are recorded in `trace` and may fail.
  static func environment(root: URL, trace: String? = nil, _ fault: StorageFault? = nil) -> [String: String?] {
    var variables = fault?.variables ?? [:]
    variables["LD_PRELOAD"] = product("libStorageFaults.so")
    variables["STORAGE_FAULTS_ROOT"] = root.path
    variables["STORAGE_FAULTS_TRACE"] = trace
    return variables
  }
}
