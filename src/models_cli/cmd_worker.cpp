// firesteel worker: one process of a job, started by the others' program or by a cluster.
#include <signal.h>
#include <sys/prctl.h>

#include "cli/interrupt.h"
#include "models/job.h"
#include "models_cli/commands.h"

namespace firesteel::cli {

Run worker_command(CLI::App& app, const GlobalOptions&) {
  struct Options {
    std::string job;
    GroupOptions group;
  };
  auto worker = std::make_shared<Options>();
  app.add_option("job", worker->job, "Folder of the job")->required();
  app.add_option("--rank", worker->group.rank, "Number of this worker, from 0");
  app.add_option("--world", worker->group.world, "Number of workers");
  app.add_option("--rendezvous", worker->group.rendezvous, "Where the workers meet, host:port");
  app.add_flag("--serves", worker->group.serves, "Worker 0 opens the meeting place");
  app.add_option("--interface", worker->group.interface, "This machine's address, for the others");
  app.add_option("--timeout", worker->group.timeout_seconds,
                 "Seconds without a word from another worker");
  return [worker] {
    ::prctl(PR_SET_PDEATHSIG,
            SIGKILL);  // Nobody would hear it when the one that started it is gone.
    finish_step_on_signal();
    return run_worker(worker->job, worker->group, &interrupted());
  };
}

}  // namespace firesteel::cli
