// How this program gets to executors, and is started there.
#pragma once

#include <string>

#include "cluster/archive.h"

namespace firesteel::cluster {

/// This program's file and the libraries it has loaded, but the C library's: bin/…, lib/….
ArchiveFiles program_files();
/// The name of the program's file in bin/.
std::string program_name();

/// The Python module that passes rows between Spark's Python worker and the program (bridge.py).
std::string bridge_module();
/// The script that starts the program in place of Python (worker.sh): an archive called `program`
/// beside it, or a folder `home` on every machine.
std::string worker_script(const std::string& program, const std::string& executable,
                          const std::string& home);

}  // namespace firesteel::cluster
