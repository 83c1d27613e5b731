// The program of the commands that need libtorch; `firesteel` starts it.
#include "cluster/worker.h"
#include "models/model_function.h"
#include "models_cli/commands.h"

int main(int argc, char** argv) {
  using namespace firesteel::cli;
  if (const auto code = firesteel::cluster::run_if_worker(argc, argv)) return *code;
  return run_program(argc, argv,
                     {{"run", run_command},
                      {"embed", embed_command},
                      {"generate", generate_command},
                      {"predict", predict_command},
                      {"show", show_command},
                      {"explain", explain_command},
                      {"tune", tune_command},
                      {"worker", worker_command},
                      {"doctor", doctor_command},
                      // With models as functions.
                      {"sql", sql_command},
                      {"server", server_command},
                      {"pyspark", pyspark_command}},
                     nullptr, firesteel::make_model_function);
}
