"""The table of checks, in the order in which they are told."""

from symloss.telling.doctor.clock import check_clock
from symloss.telling.doctor.cores import check_cores
from symloss.telling.doctor.finding import Check
from symloss.telling.doctor.gpu import check_gpu
from symloss.telling.doctor.limits import check_limits
from symloss.telling.doctor.memory import check_memory
from symloss.telling.doctor.places import check_disk, check_home, check_shared_memory, check_temporary
from symloss.telling.doctor.ray import check_ray
from symloss.telling.doctor.run import check_run
from symloss.telling.doctor.versions import check_versions

CHECKS: dict[str, Check] = {
    "versions": Check("Python and the packages that symloss needs", check_versions),
    "cores": Check("processors, and what a control group allows", check_cores),
    "limits": Check("open files and processes, for Ray", check_limits),
    "memory": Check("memory, and what a control group allows", check_memory),
    "gpu": Check("GPUs that torch can use", check_gpu),
    "disk": Check("the disk of runs: room, kind, locks", check_disk),
    "temporary": Check("the folder for temporary files", check_temporary),
    "shared_memory": Check("shared memory, for Ray", check_shared_memory),
    "home": Check("the home directory", check_home),
    "clock": Check("the clock, against what can be and the disk's", check_clock),
    "ray": Check("whether Ray is there, and starts", check_ray),
    "run": Check("a run's files, and the digest of its result", check_run),
}
