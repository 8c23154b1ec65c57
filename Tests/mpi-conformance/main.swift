// Checks the MPI binding and the collectives between real ranks; started by the tests under `mpirun`.
//
//   mpi-conformance                          all checks; one line for each that fails, exit 1; else the number of checks
//   mpi-conformance nodes N N …              the same checks on nodes of so many ranks each
//   mpi-conformance windows                  those of shared memory only
//   mpi-conformance stream MEGABYTES         rank 0 sends so much to rank 1 and prints 10⁶ bytes a second
//   mpi-conformance wait                     every rank says so and waits for ever
//   mpi-conformance world                    prints rank and size
//   mpi-conformance return CODE              every rank ends with CODE
//   mpi-conformance fail RANK CODE           one rank fails while the others wait for it
//   mpi-conformance fail-mpi RANK            an MPI call fails on one rank while the others wait for it
//   mpi-conformance fail-in-window RANK      the same, while a window and a request are in use
//   mpi-conformance fail-at-start RANK CODE  that rank and those above it find an error at start
import Glibc
import MPI

let arguments = CommandLine.arguments.dropFirst()
let numbers = arguments.compactMap { Int($0) }

exit(
  withMPI { world in
    switch arguments.first {
    case nil: return try checkEverything(world, nodes: [world.size])
    case "nodes": return try checkEverything(world, nodes: numbers)
    case "windows": return try report(world) { try checkWindows(world, $0) }
    case "stream": try stream(world, bytes: numbers[0] * 1_000_000)
    case "wait":
      print("rank \(world.rank) waits")
      fflush(nil)
      _ = try world.receive(Int.self, capacity: 0, from: world.rank)
    case "world": print("rank \(world.rank) of \(world.size)")
    case "return": return Int32(numbers[0])
    case "fail":
      if world.rank == numbers[0] {
        throw JobFailure(message: "rank \(world.rank) cannot go on.", exitCode: Int32(numbers[1]))
      }
      try world.barrier()
    case "fail-mpi":
      if world.rank == numbers[0] { try world.send([1], to: world.size + 5) }
      try world.barrier()
    case "fail-in-window":
      let window = try SharedWindow(on: try world.splitByNode(), byteCount: 100)
      let pending = try world.startReceive(Int.self, capacity: 5, from: world.rank)
      if world.rank == numbers[0] { throw JobFailure(message: "rank \(world.rank) unwinds.", exitCode: 65) }
      _ = try pending.wait()
      try window.free()
    case "fail-at-start":
      try world.agree {
        if world.rank >= numbers[0] {
          throw JobFailure(message: "rank \(world.rank) found it.", exitCode: Int32(numbers[1] + world.rank))
        }
      }
    case let other?: throw JobFailure(message: "there is no check `\(other)`.", exitCode: 64)
    }
    return 0
  })

func checkEverything(_ world: Communicator, nodes: [Int]) throws -> Int32 {
  let all: [(Communicator, Checks) throws -> Void] = [
    checkCommunicators, checkBroadcast, checkAllReduce, checkGather, checkPointToPoint, checkRequests, checkWindows,
    checkReduction, checkMemoryIsGivenBack, checkAgreement,
  ]
  return try report(world) { checks in
    try checkNodes(world, checks, ranks: nodes)
    // On other nodes than asked for, the rest would tell nothing.
    let isPlaced = try world.allReduce(checks.failures, .sum) == 0
    for check in isPlaced ? all : [] {
      try check(world, checks)
      try world.barrier()
    }
  }
}

/// Makes checks, and prints what they gave on all ranks; returns the exit code.
func report(_ world: Communicator, _ body: (Checks) throws -> Void) throws -> Int32 {
  let checks = Checks(rank: world.rank)
  try body(checks)
  let failures = try world.allReduce(checks.failures, .sum)
  let count = try world.allReduce(checks.count, .sum)
  if world.rank == 0 { print(failures == 0 ? "\(count) checks hold" : "\(failures) of \(count) checks fail") }
  return failures == 0 ? 0 : 1
}

/// Sends messages of 10⁵ bytes one way until all bytes are there, and prints how fast that was.
func stream(_ world: Communicator, bytes: Int) throws {
  let message = [UInt8](repeating: 1, count: 100_000)
  try world.barrier()
  let begin = MPILibrary.seconds
  for _ in 0..<bytes / message.count {
    switch world.rank {
    case 0: try world.send(message, to: 1)
    case 1: _ = try world.receive(UInt8.self, capacity: message.count, from: 0)
    default: break
    }
  }
  try world.barrier()
  if world.rank == 0 { print(Double(bytes) / (MPILibrary.seconds - begin)) }
}
