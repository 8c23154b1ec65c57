import MPI
import Testing

@Suite struct LaunchEnvironmentTests {
  private func launch(_ variables: [String: String]) -> LaunchEnvironment { LaunchEnvironment { variables[$0] } }

  private let openMPI = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4"

  @Test func withoutVariablesItIsOneRank() {
    let none = launch([:])
    #expect(none.launcher == .none && none.rank == 0 && none.size == 1)
    #expect(none.failure(worldSize: nil, library: openMPI) == nil)
    #expect(none.failure(worldSize: 1, library: openMPI) == nil)
  }

  @Test func launchersTellRankAndSize() {
    let cases: [([String: String], LaunchEnvironment.Launcher, Int, Int)] = [
      (["OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"], .openMPI, 2, 4),
      (["PMI_RANK": "1", "PMI_SIZE": "3"], .pmi, 1, 3),
      (["SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8"], .slurm, 5, 8),
      // mpirun in a Slurm step: its daemons were started by srun, two tasks of which one is this rank's parent.
      (
        [
          "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4",
        ], .openMPI, 3, 4
      ),
      // A batch script: tasks are asked for, but this process is not one of a step.
      (["SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"], .none, 0, 1),
      // Nonsense is no launcher.
      (["PMI_RANK": "3", "PMI_SIZE": "3"], .none, 0, 1),
      (["OMPI_COMM_WORLD_RANK": "x", "OMPI_COMM_WORLD_SIZE": "4"], .none, 0, 1),
    ]
    for (variables, launcher, rank, size) in cases {
      let found = launch(variables)
      #expect(found.launcher == launcher && found.rank == rank && found.size == size, "\(variables)")
    }
  }

  @Test func worldsOfOneUnderAForeignLauncherAreRefused() throws {
    let hydra = launch(["PMI_RANK": "1", "PMI_SIZE": "3"])
    #expect(hydra.failure(worldSize: 3, library: openMPI) == nil)
    let failure = try #require(hydra.failure(worldSize: 1, library: openMPI))
    #expect(failure.exitCode == 78)
    #expect(failure.message.contains("3 processes") && failure.message.contains("mpirun"))
  }

  @Test func srunWithoutPMIxIsRefusedBeforeOpenMPIStarts() throws {
    var step = ["SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"]
    let failure = try #require(launch(step).failure(worldSize: nil, library: openMPI))
    #expect(failure.exitCode == 78 && failure.message.contains("srun --mpi=pmix"))
    #expect(launch(step).failure(worldSize: nil, library: "MPICH Version: 4.0.2") == nil)
    step["PMIX_RANK"] = "0"
    #expect(launch(step).failure(worldSize: nil, library: openMPI) == nil)
    #expect(launch(step).failure(worldSize: 1, library: openMPI)?.exitCode == 78)
    #expect(launch(step).failure(worldSize: 4, library: openMPI) == nil)
    step["SLURM_STEP_NUM_TASKS"] = "1"
    #expect(launch(step).failure(worldSize: 1, library: openMPI) == nil)
  }
}
