// Models on the executors of a cluster: prediction by partitions, and training by tasks that run
// together, each on the rows of its partition.
#pragma once

#include <string>

#include "ml/model.h"

namespace firesteel {

/// The rows with the model's prediction, as FittedModel::transform gives them. The model goes to
/// the executors once; each of their processes loads it once.
DataFrame transform_on_cluster(const TabularModel& model, const DataFrame& rows);

/// Trains the model in `options.workers` tasks of a barrier stage. `part` is a column of `rows`: 0
/// in rows to train on, 1 in those to validate on. Rows are dealt by their hash, so that a task
/// that is run again has the same ones. Checkpoints are kept where all machines see
/// `options.trainer.checkpoints`; a lost task makes Spark begin the stage anew, from the last one.
TrainResult train_on_cluster(TabularModel* model, const DataFrame& rows, const std::string& part,
                             bool validated, const std::vector<std::string>& hash_terms,
                             const TrainOptions& options);

}  // namespace firesteel
