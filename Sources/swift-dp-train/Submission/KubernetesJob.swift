import Yams

/// A job for Kubeflow's MPI operator: an MPIJob of version v2beta1, a launcher and as many workers as nodes.
///
/// Workers run an SSH server as process 1, so the trainer never sees that a worker is told to go: what it has saved
/// periodically on the shared volume is all that remains, and the launcher begins again from there.
struct KubernetesJob {
  var job: SubmittedJob

  var text: String {
    """
    # Printed by: \(job.origin)
    #
    # Needs Kubeflow's MPI operator, an image (launch/k8s/Containerfile) and a volume claim that workers may write.
    # Start it with kubectl create -f FILE; the log is the launcher's: kubectl logs -f job/NAME-launcher
    apiVersion: kubeflow.org/v2beta1
    kind: MPIJob
    metadata:
      name: \(yaml(job.name))
    spec:
      slotsPerWorker: \(job.ranksPerNode)
      # A launcher that starts before its workers have names fails and uses up its restarts.
      launcherCreationPolicy: WaitForWorkersReady
      sshAuthMountPath: /home/mpiuser/.ssh
      mpiImplementation: OpenMPI
      runPolicy:
        cleanPodPolicy: Running
        backoffLimit: 10
        activeDeadlineSeconds: \(job.minutes * 60)
        ttlSecondsAfterFinished: 86400
      mpiReplicaSpecs:
        Launcher:
          replicas: 1
          # Started again after any end but 0, it goes on from the newest checkpoint.
          restartPolicy: OnFailure
          template:
            spec:
              containers:
              - name: launcher
                image: \(yaml(job.image))
                imagePullPolicy: IfNotPresent
                securityContext: {runAsUser: 1000}
                command: [mpirun]
                args:
    \(start.map { "            - \(yaml($0))" }.joined(separator: "\n"))
                resources:
                  limits: {cpu: "1", memory: 512Mi}
        Worker:
          replicas: \(job.nodes)
          template:
            spec:
              containers:
              - name: worker
                image: \(yaml(job.image))
                imagePullPolicy: IfNotPresent
                securityContext: {runAsUser: 1000}
                command: [/usr/sbin/sshd]
                args: [-De, -f, /home/mpiuser/.sshd_config]
                resources:
                  requests: {cpu: "\(job.ranksPerNode * job.threads)", memory: 8Gi}
                  limits: {cpu: "\(job.ranksPerNode * job.threads)", memory: 8Gi}
                volumeMounts:
                - {name: runs, mountPath: /runs}
                # Ranks of a worker share gradients through it; 64 MiB, as containers have it, are too few.
                - {name: memory, mountPath: /dev/shm}
              volumes:
              - name: runs
                persistentVolumeClaim: {claimName: \(yaml(job.volumeClaim))}
              - name: memory
                emptyDir: {medium: Memory}

    """
  }

  private var start: [String] {
    ["-q", "--bind-to", "none", "-np", "\(job.ranks)", job.program, "train", "--run-dir", "/runs/\(job.name)"]
      + job.arguments
  }

  /// A value in quotes where YAML would take the plain text for something else.
  private func yaml(_ text: String) -> String {
    let isPlain = text.allSatisfy { $0.isLetter || $0.isNumber || "-_./:".contains($0) } && !text.hasSuffix(":")
    if isPlain && text != "-" && Resolver.default.resolveTag(of: Node(text)) == .str { return text }
    return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
