import CKernels
import COneDNN
import Datasets
import Foundation
import MPI

/// What a rank finds on its host: libraries, processor, limits. Gathered by `doctor`.
public struct Machine: Codable, Sendable {
  public var version = Version.text
  public var swift = Machine.swiftVersion
  public var mpiLibrary = MPILibrary.version
  public var mpiHeader = MPILibrary.headerVersion
  public var mpiStandard = MPILibrary.standard
  public var mpiThreadLevel = MPILibrary.threadLevel
  public var launcher = LaunchEnvironment.current.launcher.rawValue
  public var host = MPILibrary.processorName
  public var onednnVersion = String(cString: odn_version())
  public var onednnHeader = String(cString: odn_header_version())
  public var onednnLibrary = Machine.mappedLibraries { $0.hasPrefix("libdnnl.") }.first
  public var onednnInstructionSet = Fingerprint.ofThisMachine()["oneDNN instruction set"]
  public var ownInstructionSet = Fingerprint.ofThisMachine()["own instruction set"]
  public var fingerprint = Fingerprint.ofThisMachine().description
  public var processor = Machine.processorName
  /// Cores that the node lets this process use, those that its launcher has bound it to, and the whole cores' worth of
  /// time that a control group grants.
  public var coresAllowed = Cores.ofNode().allowed.count
  public var coresBound = Cores.affinity().count
  public var coresQuota = Cores.ofNode().quota
  public var memoryBytes = NodeMemory.ofNode().total
  public var memoryLimitBytes = NodeMemory.ofNode().limit
  public var sharedMemoryBytes = NodeMemory.ofNode().shared
  public var openmpLibraries = Machine.mappedLibraries { $0.contains("omp") && !$0.contains("ompi") }
  /// Threads of a team where nobody says otherwise.
  public var openmpThreads = Int(odn_threads())
  public var cLibrary = String(cString: ck_c_library_version())
  /// Where Fashion-MNIST is installed.
  public var fashionMnist = installedFashionMNIST()
  public var isRoot = geteuid() == 0
  public var isContainer = Machine.isContainer

  /// This process's host.
  public init() {}

  /// How many threads can run at once.
  public var cores: Int { max(1, min(coresAllowed, coresQuota ?? .max)) }

  /// The compiler that built this program; the language tells no more than a lower bound.
  private static var swiftVersion: String {
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #elseif compiler(>=6.3)
      "6.3"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }

  private static var processorName: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
  }

  /// Paths of the libraries in this process whose file names the condition holds for.
  private static func mappedLibraries(where condition: (String) -> Bool) -> [String] {
    // Linux hands this file out page by page, and reading it as a string stops at the first.
    let data = try? FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd()
    let text = String(decoding: data ?? Data(), as: UTF8.self)
    let paths = text.split(separator: "\n").compactMap { line in line.firstIndex(of: "/").map { String(line[$0...]) } }
    return Set(
      paths.filter { path in
        let name = (path as NSString).lastPathComponent
        return name.hasPrefix("lib") && name.contains(".so") && condition(name)
      }
    ).sorted()
  }

  /// As launch/lib.sh has it: containers mostly filter the system calls by which one process reads another's memory.
  private static var isContainer: Bool {
    if ["/.dockerenv", "/run/.containerenv"].contains(where: FileManager.default.fileExists) { return true }
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    return status.split(separator: "\n").contains { $0.hasPrefix("Seccomp:") && $0.hasSuffix("2") }
  }
}
