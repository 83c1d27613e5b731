// All of Firesteel's public API: DataFrames, functions, features, training, saved models,
// pipelines.
#pragma once

#include "base/error.h"
#include "cluster/worker.h"
#include "dataframe/catalog.h"
#include "dataframe/dataframe.h"
#include "dataframe/dataset.h"
#include "dataframe/functions.h"
#include "dataframe/session.h"
#include "firesteel/session_builder.h"
#include "images/decode.h"
#include "ml/features.h"
#include "ml/model.h"
#include "ml/pipeline.h"
#include "text/tokenizer.h"
