// This program as a worker of Spark: it is started on executors in place of, or by, Python, and
// runs the tasks it knows.
#pragma once

#include <optional>

namespace firesteel::cluster {

/// The first thing in `main` of a program with tasks. When the program was started as a worker
/// (`worker --control FD` by bridge.py, `worker --daemon` by Spark itself), works until it is no
/// longer needed and returns its exit code; nothing otherwise.
std::optional<int> run_if_worker(int argc, char** argv);

/// Tasks from a control socket, one after the other; rows over standard input and output.
int run_bridged_worker(int control);
/// In place of `python -m pyspark.daemon pyspark.worker`, by the protocol of Spark 4.3.
int run_worker_daemon();

}  // namespace firesteel::cluster
